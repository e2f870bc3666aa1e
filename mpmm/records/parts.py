"""Reads the files of a run folder one by one: a missing one is None, a damaged one a note in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mpmm.errors import MpmmError
from mpmm.results import read_json

T = TypeVar("T")


class PartReader:
    """Reads parts of a run folder, and notes those that are there but cannot be read.

    Parameters
    ----------
    path
        The run folder.

    Attributes
    ----------
    notes
        What could not be read, a sentence each.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []

    def read(self, name: str, reading: Callable[[Path], T]) -> T | None:
        """Read the file `name` by `reading`; None where it is missing or damaged."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return reading(path)
        except MpmmError as error:
            self.notes.append(f"{name} was left out: {error.problem}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.notes.append(f"{name} was left out, it is not as mpmm writes it: {error!r}")
        return None

    def json(self, name: str) -> dict[str, Any] | None:
        """Read a JSON object; None where it is missing or damaged."""
        return self.read(name, read_json)
