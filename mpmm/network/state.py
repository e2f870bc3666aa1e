"""Checks that named arrays from outside are those that are expected, before any of them is taken over."""

from __future__ import annotations

from collections.abc import Mapping

from mpmm.errors import NetworkError
from mpmm.network.parameter import Array

HINT = "it belongs to a network of another description; compare the configurations"


def check_state(expected: Mapping[str, Array], given: Mapping[str, Array], kind: str) -> None:
    """Every expected name is given with its shape, and no other.

    Parameters
    ----------
    expected, given
        Arrays by name; of those expected only the shapes count.
    kind
        What the arrays are, for the message: "parameter" or "moment".

    Raises
    ------
    NetworkError
        Naming the first array that is missing, unexpected, or of another shape, and how many more there are.
    """
    _refuse([name for name in sorted(expected) if name not in given], f"{kind} missing")
    _refuse([name for name in sorted(given) if name not in expected], f"unexpected {kind}")
    for name in sorted(expected):
        if given[name].shape != expected[name].shape:
            raise NetworkError(
                f"{kind} {name} has shape {given[name].shape}, expected {expected[name].shape}", HINT
            )


def _refuse(names: list[str], problem: str) -> None:
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise NetworkError(f"{problem}: {names[0]}{more}", HINT)
