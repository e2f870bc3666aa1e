"""What ranks compute on, compared at the start: told where widths differ, refused where bits would."""

from __future__ import annotations

from collections.abc import Iterable

from mpmm_kernels.runtime import sources_key
from mpmm_kernels.vector import FUSED, OWN

from mpmm.errors import RunError
from mpmm.messages import Collectives


def compare_processors(collectives: Collectives) -> str | None:
    """Compare the kernels and processors of all ranks; a line for people where some have wider vectors.

    Sums are made in the same order whatever a vector's width, so that a mix of those trains as one kind does.

    Raises
    ------
    RunError
        Some ranks round otherwise than others, or have kernels of another version.
    """
    kinds = [tuple(kind) for kind in collectives.allgather((OWN.bits, FUSED, sources_key()))]
    _check(kinds)
    widths = [bits for bits, _, _ in kinds]
    if len(set(widths)) == 1:
        return None
    return f"vectors of {_by_value(widths, 'bits')}: results have the same bits on each"


def _check(kinds: list[tuple[int, bool, str]]) -> None:
    """Refuse a mix whose results would follow from which rank computes what."""
    sources = [source for _, _, source in kinds]
    if len(set(sources)) > 1:
        raise RunError(
            f"ranks have different kernels: {_by_value(sources)}", "install one version of mpmm on all hosts"
        )
    roundings = [1 if fused else 2 for _, fused, _ in kinds]
    if len(set(roundings)) > 1:
        raise RunError(
            "the ranks' processors round a multiply-add differently, so that results would follow from who "
            f"computes what: {_by_value(roundings, 'roundings')}",
            "start the ranks on hosts of one kind of processor, by a hostfile",
        )


def _by_value(values: list[int] | list[str], unit: str = "") -> str:
    """Each value with the ranks that have it, in the order of their first."""
    return ", ".join(
        f"{value} {unit}".strip() + f" on {_ranks(rank for rank, own in enumerate(values) if own == value)}"
        for value in dict.fromkeys(values)
    )


def _ranks(numbers: Iterable[int]) -> str:
    listed = [str(number) for number in numbers]
    return f"rank{'s' if len(listed) > 1 else ''} {', '.join(listed)}"
