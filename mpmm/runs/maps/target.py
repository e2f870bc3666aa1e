"""What a map lies on: a scene's label grid, another raster's, or one laid over an extent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpmm.display import Console, say_bands, telling
from mpmm.errors import SceneError
from mpmm.preparation import range_warnings
from mpmm.runs.maps.trained import Trained
from mpmm.scene import AlignedModality, Grid, Scene, grid_like, grid_over, transferred


@dataclass(frozen=True)
class TargetGrid:
    """A grid to map on that is not the labels'.

    Attributes
    ----------
    like
        A raster whose grid is taken.
    pixel_size, extent
        Edge of a pixel, and west, south, east, north, in the coordinates of the network's first modality.
    """

    like: Path | None = None
    pixel_size: float | None = None
    extent: tuple[float, float, float, float] | None = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return (self.like, self.pixel_size, self.extent) != (None, None, None)

    def grid(self, scene: Scene, first: str) -> Grid:
        """The grid; ``first`` is the modality whose coordinates count."""
        if self.like is not None and self.pixel_size is None and self.extent is None:
            return grid_like(self.like)
        if self.like is not None or self.pixel_size is None or self.extent is None:
            raise SceneError(
                "a grid is either another raster's, or a pixel size and an extent",
                "give --like RASTER, or --pixel-size SIZE with --extent WEST SOUTH EAST NORTH",
            )
        (modality,) = (modality for modality in scene.modalities if modality.name == first)
        return grid_over(scene.folder, modality, self.pixel_size, self.extent)


@dataclass(frozen=True, eq=False)
class Ground:
    """A grid, the modalities on it, and the labels if the grid is theirs."""

    grid: Grid
    modalities: Mapping[str, AlignedModality]
    labels: NDArray[np.int16] | None


def _check_positions(scene: Scene, names: Sequence[str]) -> None:
    """Refuse modalities that lie over the labels, whatever their files say, on a grid that is not theirs."""
    for modality in scene.modalities:
        if modality.name in names and modality.position == "none":
            raise SceneError(
                f"{modality.name}: has no position, so that it lies on no grid but the labels'",
                "map without --like, --pixel-size and --extent",
            )


def ground(
    trained: Trained, scene: Scene, target: TargetGrid, console: Console, force_bands: bool = False
) -> Ground:
    """Align the network's modalities, and only them, on the target grid or else the labels'.

    Their bands are brought into the training's order, or taken as they come with ``force_bands``. Said is
    what was changed, what of another scene could not be checked, and which values are far outside those of
    the training.

    Raises
    ------
    MpmmError
        The scene lacks a modality, or its bands are not clearly those of the training.
    """
    trained.check(scene)
    names = trained.network.spec.modalities
    if target.given:
        _check_positions(scene, names)
    grid = target.grid(scene, names[0]) if target.given else scene.grid()
    here = {name: scene.record_of(name, grid) for name in names}
    transfer = transferred(scene, trained.records, here, force_bands)
    say_bands(console, transfer.changes)
    if scene not in trained.config.scenes:
        say_bands(console, transfer.unchecked)
    with telling(console) as report:
        if target.given:
            aligned = Ground(grid, transfer.scene.align_on(grid, names, report), None)
        else:
            whole = transfer.scene.align(names, report)
            aligned = Ground(whole.grid, whole.modalities, whole.labels)
    say_bands(console, (), range_warnings(aligned.modalities, trained.records, names))
    return aligned
