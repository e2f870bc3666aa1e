"""A scene on its label grid, mapped from the cache: what patches are cut from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mpmm.scene.cache_folder import CacheFolder
from mpmm.scene.grid import Grid
from mpmm.scene.labels import LandCover
from mpmm.scene.modality import Modality, NormalizationKind

# called with a modality's name and the share of it that is on the grid
Progress: TypeAlias = Callable[[str, float], None]


@dataclass(frozen=True)
class AlignedLabels:
    """The labels of a scene.

    Parameters
    ----------
    grid
        The label raster's grid, which is the scene's.
    classes
        The classes, in the order in which the network numbers them.
    ids
        ``(rows, cols)`` int16, mapped read-only: the raster's ids; -1 where the raster has no data.
    """

    grid: Grid
    classes: tuple[LandCover, ...]
    ids: NDArray[np.int16]


@dataclass(frozen=True)
class AlignedModality:
    """One modality on the label grid.

    Parameters
    ----------
    name
        The modality's name, as the scene's description gives it.
    values
        ``(rows, cols, bands)`` float32, mapped read-only; 0 where data is missing.
    present
        ``(rows, cols)`` bool, mapped read-only; False where data is missing.
    normalization
        How training normalises each band.
    band_names
        One name a band: the file's own description, or ``band N`` with N counted from 1 in the file.
    """

    name: str
    values: NDArray[np.float32]
    present: NDArray[np.bool_]
    normalization: NormalizationKind
    band_names: tuple[str, ...]

    @classmethod
    def of_cache(
        cls, modality: Modality, folder: CacheFolder, band_names: tuple[str, ...]
    ) -> "AlignedModality":
        """Map what is finished in the cache."""
        return cls(
            name=modality.name,
            values=folder.map("values.npy"),
            present=folder.map("present.npy"),
            normalization=modality.normalization,
            band_names=band_names,
        )

    @property
    def pieces(self) -> tuple[tuple[int, NDArray[np.float32]], ...]:
        """First row on the grid and values of what is mapped in one go: here of the whole."""
        return ((0, self.values),)


@dataclass(frozen=True)
class AlignedScene:
    """A scene on its label grid.

    Parameters
    ----------
    grid
        The label raster's grid.
    classes
        The classes, in the order in which the network numbers them.
    labels
        ``(rows, cols)`` int16, mapped read-only: the raster's ids; -1 where the raster has no data.
    modalities
        The modalities that were asked for, by name.
    """

    grid: Grid
    classes: tuple[LandCover, ...]
    labels: NDArray[np.int16]
    modalities: dict[str, AlignedModality]
