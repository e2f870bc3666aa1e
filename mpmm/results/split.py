"""Which patches a run trained on and which it held back, as a table that any program reads."""

from __future__ import annotations

import csv
import io
from bisect import bisect
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mpmm.errors import RunError
from mpmm.patches import Samples
from mpmm.results.files import read_text, write_whole
from mpmm.results.scene_rows import read_scenes
from mpmm.scene import LandCover, SceneRows

COLUMNS = ("part", "row", "column", "class", "id", "name")
# behind the others, of a run with several scenes
SCENE = "scene"


def write_split(
    path: Path, parts: Mapping[str, Samples], classes: Sequence[LandCover], members: Sequence[SceneRows] = ()
) -> None:
    """Write `split.csv`: a line per patch with its part, centre (0-based), class position, class id and name.

    The order of the lines within a part is the order of its samples, to which batches refer. Of several
    scenes, given by where they lie on their common grid, a line also has the scene's name, and the centre
    counts in the scene's own rows.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *([SCENE] if members else [])])
    firsts = [member.first for member in members]
    for part, samples in parts.items():
        for row, column, label in zip(samples.rows, samples.columns, samples.labels, strict=True):
            cover = classes[int(label)]
            scene = members[bisect(firsts, int(row)) - 1] if members else None
            first, name = (0, []) if scene is None else (scene.first, [scene.name])
            writer.writerow([part, int(row) - first, int(column), int(label), cover.id, cover.name, *name])
    write_whole(path, text.getvalue().encode())


def read_split(path: Path) -> dict[str, Samples]:
    """Read what `write_split` wrote: part name -> samples in their order; empty parts are absent.

    Of several scenes the rows are those of the common grid, as `scenes.json` beside the file tells.
    """
    try:
        lines = list(csv.reader(read_text(path).splitlines()))
        if not lines or tuple(lines[0]) not in (COLUMNS, (*COLUMNS, SCENE)):
            raise ValueError(f"its columns should be {', '.join(COLUMNS)}")
        firsts = {member.name: member.first for member in read_scenes(path.parent)}
        rows = [_on_common_grid(line, firsts) for line in lines[1:]]
        return {part: _samples(rows, part) for part in dict.fromkeys(line[0] for line in rows)}
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}", "is this a run folder?") from error
    except (ValueError, IndexError, OverflowError, csv.Error) as error:
        raise RunError(f"{path}: not a split: {error}", "restore the file from a copy") from error


def _on_common_grid(line: Sequence[str], firsts: Mapping[str, int]) -> Sequence[str]:
    """A line with its row counted on the grid that holds all scenes."""
    if len(line) <= len(COLUMNS):
        return line
    scene = line[len(COLUMNS)]
    if scene not in firsts:
        raise ValueError(f"scene {scene!r} is not in scenes.json")
    return [line[0], str(int(line[1]) + firsts[scene]), *line[2:]]


def _samples(lines: Sequence[Sequence[str]], part: str) -> Samples:
    rows, columns, labels = zip(
        *([int(text) for text in line[1:4]] for line in lines if line[0] == part), strict=True
    )
    return Samples(np.array(rows, np.int32), np.array(columns, np.int32), np.array(labels, np.int16))
