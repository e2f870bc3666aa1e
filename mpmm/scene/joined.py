"""Several scenes below each other on one grid, so that patches are drawn from all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpmm.scene.aligned import AlignedModality, AlignedScene
from mpmm.scene.grid import Grid
from mpmm.scene.labels import NO_LABEL, LandCover
from mpmm.scene.modality import NormalizationKind

# rows without data between two scenes: no patch that has data everywhere reaches over them
GAP = 1


@dataclass(frozen=True)
class SceneRows:
    """Where one of several scenes lies on their common grid, whose columns start with the scene's own.

    Attributes
    ----------
    name
        The scene's.
    first
        Its first row on the grid.
    height, width
        Its own rows and columns.
    """

    name: str
    first: int
    height: int
    width: int

    @property
    def part(self) -> tuple[slice, slice]:
        """The scene's pixels on the grid."""
        return slice(self.first, self.first + self.height), slice(0, self.width)


@dataclass(frozen=True)
class JoinedModality:
    """One modality of several scenes.

    Attributes
    ----------
    name
        The modality's name, the same in all scenes.
    pieces
        First row on the grid, and values (rows, columns, bands) mapped read-only, of each scene.
    present
        (rows, columns) bool, on the grid; False where data is missing and outside of all scenes.
    normalization
        How training normalises each band, alike in all scenes.
    band_names
        One name a band, by the first scene's files.
    """

    name: str
    pieces: tuple[tuple[int, NDArray[np.float32]], ...]
    present: NDArray[np.bool_]
    normalization: NormalizationKind
    band_names: tuple[str, ...]


@dataclass(frozen=True)
class JoinedScene:
    """Several scenes with the same modalities and classes, on one grid that lies nowhere on the ground.

    Attributes
    ----------
    grid
        Rows of all scenes and a gap between each two; columns of the widest.
    classes
        The classes, in the order in which the network numbers them.
    labels
        (rows, columns) int16, on the grid; -1 where a scene has no data and outside of all scenes.
    modalities
        By name.
    members
        Where each scene lies, in the order of the configuration.
    grids
        The scenes' own grids.
    """

    grid: Grid
    classes: tuple[LandCover, ...]
    labels: NDArray[np.int16]
    modalities: Mapping[str, JoinedModality]
    members: tuple[SceneRows, ...]
    grids: tuple[Grid, ...]

    def numbers_of(self, rows: NDArray[np.integer]) -> NDArray[np.intp]:
        """Number of the scene, from 0, in which each of these rows of the grid lies."""
        firsts = [member.first for member in self.members]
        numbers: NDArray[np.intp] = np.searchsorted(firsts, rows, side="right") - 1
        return numbers


AlignedScenes = AlignedScene | JoinedScene


def grids_of(scene: AlignedScenes) -> tuple[Grid, ...]:
    """The grid of each scene."""
    return scene.grids if isinstance(scene, JoinedScene) else (scene.grid,)


def rows_of(names: Sequence[str], grids: Sequence[Grid]) -> tuple[SceneRows, ...]:
    """Where scenes of these grids lie below each other.

    Parameters
    ----------
    names
        The scenes', in their order.
    grids
        Their own.
    """
    members, first = [], 0
    for name, grid in zip(names, grids, strict=True):
        members.append(SceneRows(name, first, *grid.shape))
        first += grid.height + GAP
    return tuple(members)


def joined_grid(members: Sequence[SceneRows]) -> Grid:
    """The grid that holds all scenes."""
    last = members[-1]
    return Grid.of_pixels(last.first + last.height, max(member.width for member in members))


def join_scenes(names: Sequence[str], scenes: Sequence[AlignedScene]) -> JoinedScene:
    """Lay aligned scenes below each other; values stay mapped, labels and masks are copied.

    Parameters
    ----------
    names
        The scenes', in their order.
    scenes
        With the same classes, and modalities of the same names, bands and normalisation.
    """
    grids = tuple(scene.grid for scene in scenes)
    members = rows_of(names, grids)
    grid = joined_grid(members)
    return JoinedScene(
        grid=grid,
        classes=scenes[0].classes,
        labels=_labels(grid, members, [scene.labels for scene in scenes]),
        modalities={
            name: _modality(grid, members, [scene.modalities[name] for scene in scenes])
            for name in scenes[0].modalities
        },
        members=members,
        grids=grids,
    )


def _modality(
    grid: Grid, members: Sequence[SceneRows], modalities: Sequence[AlignedModality]
) -> JoinedModality:
    present = np.zeros(grid.shape, np.bool_)
    for member, modality in zip(members, modalities, strict=True):
        present[member.part] = modality.present
    first = modalities[0]
    pieces = tuple((member.first, each.values) for member, each in zip(members, modalities, strict=True))
    return JoinedModality(first.name, pieces, present, first.normalization, first.band_names)


def _labels(
    grid: Grid, members: Sequence[SceneRows], labels: Sequence[NDArray[np.int16]]
) -> NDArray[np.int16]:
    if not any(any(ids.strides) for ids in labels):
        # stand for labels that another rank reads, and take no memory
        return np.broadcast_to(np.int16(NO_LABEL), grid.shape)
    joined = np.full(grid.shape, NO_LABEL, np.int16)
    for member, ids in zip(members, labels, strict=True):
        joined[member.part] = ids
    return joined
