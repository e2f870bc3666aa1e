"""Reads which part each pixel is of from a table that any program writes."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.shares import PARTS
from mpmm.patches.usable import class_positions

COLUMNS = ("row", "column", "part")
# of a run with several scenes
SCENE = "scene"
Ids = npt.NDArray[np.int16]


def read_part_table(
    path: Path, labels: Ids, class_ids: Sequence[int], scene: str | None = None
) -> dict[str, Ids]:
    """Read a CSV file with the columns row, column and part (train, validation, test), in any order.

    Rows and columns count from 0, other columns are left alone: the `split.csv` of a run is such a table.

    Parameters
    ----------
    path
        The file; its first line names the columns.
    labels
        Label ids of the scene, shape (rows, columns): the table's pixels have their classes from here.
    class_ids
        Label ids of the classes.
    scene
        Name of the scene, where there are several: of a table with a column scene only its lines count.

    Returns
    -------
    By part, of those in the table: label ids, shape (rows, columns), -1 where a pixel is not of the part.

    Raises
    ------
    PatchError
        The file is missing or no such table, or a pixel is twice in it, outside of the scene, or of no class.
    """
    labelled = class_positions(labels, class_ids) >= 0
    parts: dict[str, Ids] = {}
    taken = np.zeros(labels.shape, bool)
    for line, (row, column, part) in _entries(path, scene):
        if not (0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]):
            rows, columns = labels.shape
            raise _refused(path, line, f"row {row}, column {column} is outside of {rows} x {columns} pixels")
        if not labelled[row, column]:
            raise _refused(path, line, f"row {row}, column {column} has no label of a class")
        if taken[row, column]:
            raise _refused(path, line, f"row {row}, column {column} has been given a part before")
        taken[row, column] = True
        ids = parts.setdefault(part, np.full(labels.shape, -1, np.int16))
        ids[row, column] = labels[row, column]
    return parts


def _entries(path: Path, scene: str | None) -> Iterator[tuple[int, tuple[int, int, str]]]:
    """Line number, counted from 1, with row, column and part; of other scenes' lines none."""
    try:
        lines = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not in UTF-8"
        raise PatchError(f"{path}: cannot be read: {reason}", "correct patches.parts") from error
    heading = [name.strip().lower() for name in next(lines, [])]
    missing = [name for name in COLUMNS if name not in heading]
    if missing:
        raise PatchError(
            f"{path}: has no column {missing[0]}; its first line names {', '.join(heading) or 'none'}",
            f"name the columns {', '.join(COLUMNS)} in the first line",
        )
    positions = [heading.index(name) for name in COLUMNS]
    names = heading.index(SCENE) if scene is not None and SCENE in heading else None
    for line, cells in enumerate(lines, start=2):
        other = names is not None and names < len(cells) and cells[names].strip() != scene
        if any(cell.strip() for cell in cells) and not other:
            yield line, _entry(path, line, [cells[at].strip() for at in positions if at < len(cells)])


def _entry(path: Path, line: int, cells: Sequence[str]) -> tuple[int, int, str]:
    if len(cells) < len(COLUMNS):
        raise _refused(path, line, "has too few cells")
    if cells[2] not in PARTS:
        raise _refused(path, line, f"the part is {cells[2]!r}; expected {', '.join(PARTS)}")
    if not (cells[0].lstrip("-").isdecimal() and cells[1].lstrip("-").isdecimal()):
        raise _refused(path, line, f"row {cells[0]!r}, column {cells[1]!r}; expected whole numbers")
    return int(cells[0]), int(cells[1]), cells[2]


def _refused(path: Path, line: int, problem: str) -> PatchError:
    return PatchError(f"{path}: line {line}: {problem}", "correct the line, rows and columns count from 0")
