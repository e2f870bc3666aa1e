"""The parts of a given split, from the label rasters or the table that the settings name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mpmm.patches import read_part_table
from mpmm.scene import AlignedScene, read_part_labels
from mpmm.settings import Config


def given_parts(config: Config, scene: AlignedScene) -> dict[str, NDArray[np.int16]]:
    """Label ids by part, (rows, columns) each; of no class where a pixel is not of the part.

    The training labels are the scene's own where none are named.

    Raises
    ------
    MpmmError
        A raster or the table cannot be used.
    """
    patches, ids = config.patches, [cover.id for cover in scene.classes]
    if patches.parts is not None:
        return read_part_table(config.scene.folder / patches.parts, scene.labels, ids)
    files = {
        "train": patches.labels_train,
        "validation": patches.labels_validation,
        "test": patches.labels_test,
    }
    own = {"train": scene.labels}
    named = {
        part: read_part_labels(config.scene, file, scene.classes, scene.grid)
        for part, file in files.items()
        if file is not None
    }
    return own | named
