"""The reader: cuts patches of one modality from its mapped scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from mpmm_kernels.arrays import read_only
from mpmm_kernels.patches import gather_patches as gather
from mpmm_kernels.patches import load_readers

from mpmm.errors import PatchError
from mpmm.patches.augmentation import orientations
from mpmm.patches.normalization import Normalization, Pixels
from mpmm.patches.samples import Samples
from mpmm.patches.windows import check_size

Patches = npt.NDArray[np.float32]


class PatchReader:
    """Reads normalised patches of one modality by sample index.

    Parameters
    ----------
    modality
        Its values (rows, columns, bands) in each scene, float32, usually mapped from the cache.
    samples
        The centres that indices refer to.
    size
        Odd edge of a patch, in pixels.
    normalization
        Shift and scale of each band.
    augment
        Flip and turn each patch by (seed, epoch, sample): alike for all modalities of a sample.
    seed
        From which the augmentation follows.

    Raises
    ------
    PatchError
        A patch leaves the scene, or the normalisation is of another number of bands.
    """

    def __init__(
        self,
        modality: Pixels,
        samples: Samples,
        size: int,
        normalization: Normalization,
        *,
        augment: bool = False,
        seed: int = 0,
    ) -> None:
        scene_of = _check(modality, samples, size, normalization)
        self.name, self.samples, self.size = modality.name, samples, size
        self.augment, self.seed = augment, seed
        self._scenes = [read_only(values) for _, values in modality.pieces]
        self._linear = normalization.linear()
        firsts = np.array([first for first, _ in modality.pieces], np.int32)
        self._scene_of = scene_of
        self._centres = np.stack([samples.rows - firsts[scene_of], samples.columns], axis=1).astype(np.int32)

    @property
    def bands(self) -> int:
        """Number of bands of the modality, one after the other in a patch."""
        return int(self._scenes[0].shape[2])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, rows and columns of a patch."""
        return self.bands, self.size, self.size

    def read(
        self, indices: npt.NDArray[np.integer[Any]], epoch: int = 0, out: Patches | None = None
    ) -> Patches:
        """Cut the patches of these samples.

        Parameters
        ----------
        indices
            Positions in the samples, shape (n,).
        epoch
            Decides how patches are flipped and turned, where they are.
        out
            Filled if given: float32, contiguous, of the result's shape.

        Returns
        -------
        float32 (n, bands, size, size)
        """
        shape = (len(indices), *self.shape)
        patches = np.empty(shape, np.float32) if out is None else out
        if patches.shape != shape or patches.dtype != np.float32 or not patches.flags.c_contiguous:
            raise PatchError(
                f"patches of shape {shape} cannot be read into {patches.dtype} {patches.shape}",
                "give a contiguous float32 array of that shape",
            )
        load_readers()
        centres, codes = self._centres[indices], self._codes(indices, epoch)
        if len(self._scenes) == 1:
            gather(self._scenes[0], centres, codes, self._linear, patches)
            return patches
        scene_of = self._scene_of[indices]
        for number in np.unique(scene_of):
            own = np.flatnonzero(scene_of == number)
            part = np.empty((len(own), *self.shape), np.float32)
            gather(self._scenes[number], centres[own], codes[own], self._linear, part)
            patches[own] = part
        return patches

    def _codes(self, indices: npt.NDArray[np.integer[Any]], epoch: int) -> npt.NDArray[np.uint8]:
        if not self.augment:
            return np.zeros(len(indices), np.uint8)
        return orientations(indices, epoch, self.seed)


def _check(
    modality: Pixels, samples: Samples, size: int, normalization: Normalization
) -> npt.NDArray[np.intp]:
    """Refuse what the kernel, which checks no bounds, would read wrongly; the scene of each sample."""
    scene_of, inside = np.zeros(len(samples), np.intp), np.zeros(len(samples), bool)
    for number, (first, values) in enumerate(modality.pieces):
        _check_values(modality.name, values, size, normalization)
        rows, columns, half = samples.rows - first, samples.columns, size // 2
        here = (rows >= half) & (rows < len(values) - half)
        here &= (columns >= half) & (columns < values.shape[1] - half)
        scene_of[here], inside = number, inside | here
    if not inside.all():
        sample = int(np.flatnonzero(~inside)[0])
        scenes = " or ".join(f"{len(values)} x {values.shape[1]}" for _, values in modality.pieces)
        raise PatchError(
            f"{modality.name}: the patch of sample {sample} around row {samples.rows[sample]}, column "
            f"{samples.columns[sample]} leaves the scene of {scenes} pixels",
            "draw samples from this scene with this patch size",
        )
    return scene_of


def _check_values(name: str, values: Patches, size: int, normalization: Normalization) -> None:
    if values.ndim != 3:
        raise PatchError(f"{name}: values of shape {values.shape}", "give (rows, columns, bands)")
    rows, columns, bands = values.shape
    check_size(size, rows, columns)
    if len(normalization.shift) != bands:
        raise PatchError(
            f"{name}: {bands} bands, normalisation of {len(normalization.shift)}",
            "measure the normalisation on this modality",
        )
