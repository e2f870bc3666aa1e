"""The parts of a given split, from the label rasters or the tables that the settings name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mpmm.patches import PARTS, check_apart, read_part_table
from mpmm.preparation.naming import told_of
from mpmm.scene import AlignedScenes, Grid, JoinedScene, LandCover, Scene, SceneRows, read_part_labels
from mpmm.settings import Config, PatchesConfig

Parts = Mapping[str, NDArray[np.int16]]
# of no class
_NEITHER = -1


def given_parts(config: Config, scene: AlignedScenes) -> Parts:
    """Label ids by part, (rows, columns) each; of no class where a pixel is not of the part.

    The training labels are the scene's own where none are named. Of several scenes each has its own files, or
    is of one part as a whole.

    Raises
    ------
    MpmmError
        A raster or the table cannot be used.
    """
    if not isinstance(scene, JoinedScene):
        return _parts_of(config.patches, config.scene, (scene.grid, scene.labels), scene.classes)
    parts: list[Parts] = []
    for own, member, grid in zip(config.scenes, scene.members, scene.grids, strict=True):
        with told_of(own, config.scenes):
            parts.append(_parts_of(config.patches, own, (grid, scene.labels[member.part]), scene.classes))
            # here, where a pixel can still be told in the scene's own rows
            check_apart(parts[-1], [cover.id for cover in scene.classes])
    return {
        part: _below_each_other(scene.grid, scene.members, [own.get(part) for own in parts])
        for part in PARTS
        if any(part in own for own in parts)
    }


def _parts_of(
    patches: PatchesConfig,
    scene: Scene,
    labels: tuple[Grid, NDArray[np.int16]],
    classes: Sequence[LandCover],
) -> Parts:
    """The parts of one scene, given its labels and their grid."""
    grid, ids = labels
    if scene.part is not None:
        return {scene.part: ids}
    if patches.parts is not None:
        table = scene.folder / patches.parts
        return read_part_table(table, ids, [cover.id for cover in classes], scene.name)
    files = {
        "train": patches.labels_train,
        "validation": patches.labels_validation,
        "test": patches.labels_test,
    }
    named = {
        part: read_part_labels(scene, file, classes, grid) for part, file in files.items() if file is not None
    }
    return {"train": ids} | named


def _below_each_other(
    grid: Grid, members: Sequence[SceneRows], parts: Sequence[NDArray[np.int16] | None]
) -> NDArray[np.int16]:
    """A part on the grid of all scenes, of which some may have nothing of it."""
    joined = np.full(grid.shape, _NEITHER, np.int16)
    for member, ids in zip(members, parts, strict=True):
        if ids is not None:
            joined[member.part] = ids
    return joined
