"""Which patches a run trained on and which it held back, as a table that any program reads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mpmm.errors import RunError
from mpmm.patches import Samples
from mpmm.results.files import read_text, write_whole
from mpmm.scene import LandCover

COLUMNS = ("part", "row", "column", "class", "id", "name")


def write_split(path: Path, parts: Mapping[str, Samples], classes: Sequence[LandCover]) -> None:
    """Write `split.csv`: a line per patch with its part, centre (0-based), class position, class id and name.

    The order of the lines within a part is the order of its samples, to which batches refer.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part, samples in parts.items():
        for row, column, label in zip(samples.rows, samples.columns, samples.labels, strict=True):
            cover = classes[int(label)]
            writer.writerow([part, int(row), int(column), int(label), cover.id, cover.name])
    write_whole(path, text.getvalue().encode())


def read_split(path: Path) -> dict[str, Samples]:
    """Read what `write_split` wrote: part name -> samples in their order; empty parts are absent."""
    try:
        lines = list(csv.reader(read_text(path).splitlines()))
        if not lines or tuple(lines[0]) != COLUMNS:
            raise ValueError(f"its columns should be {', '.join(COLUMNS)}")
        return {part: _samples(lines[1:], part) for part in dict.fromkeys(line[0] for line in lines[1:])}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}", "is this a run folder?") from error
    except (ValueError, IndexError, OverflowError, csv.Error) as error:
        raise RunError(f"{path}: not a split: {error}", "restore the file from a copy") from error


def _samples(lines: Sequence[Sequence[str]], part: str) -> Samples:
    rows, columns, labels = zip(
        *([int(text) for text in line[1:4]] for line in lines if line[0] == part), strict=True
    )
    return Samples(np.array(rows, np.int32), np.array(columns, np.int32), np.array(labels, np.int16))
