"""Principal components of a modality's bands, fitted on training patches only."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.band_sums import Covered, Doubles
from mpmm.patches.normalization import CHUNK, Pixels, covered, covered_pixels
from mpmm.patches.projection import Projection
from mpmm.patches.samples import Samples

Values = npt.NDArray[np.float32]


def fit_projection(modality: Pixels, samples: Samples, size: int, components: int) -> Projection:
    """Fit principal components to the patches around these samples.

    A pixel counts once for every patch that it is in, as in normalisation. Of an axis the largest number is
    positive, as scikit-learn's ``PCA`` has it. Numbers are rounded to float32, for their last bits differ
    between processors. Memory does not grow with the number of patches.

    Parameters
    ----------
    components
        How many to keep: no more than bands.

    Raises
    ------
    PatchError
        There are no samples, fewer bands than components, or values that are not finite.

    References
    ----------
    Jolliffe, "Principal Component Analysis", 2002, section 1.1.
    """
    if not len(samples):
        raise PatchError(
            f"{modality.name}: no training patches to fit components to", "draw training patches"
        )
    scenes = covered(modality, samples, size)
    bands = scenes[0][0].shape[2]
    if components > bands:
        raise PatchError(
            f"{modality.name}: {components} principal components of {bands} bands",
            "ask for no more components than bands",
        )
    mean = _mean(scenes, bands)
    if not np.isfinite(mean).all():
        raise PatchError(
            f"{modality.name}: values in training patches are not finite",
            "mark them as missing by `nodata` in the scene's description",
        )
    values, vectors = np.linalg.eigh(_covariance(scenes, mean))
    axes = vectors.T[::-1][:components]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(components), largest])[:, None]
    variances = [*values[::-1][:components], values.sum()]
    return Projection(_rounded(mean), tuple(_rounded(axis) for axis in axes), _rounded(np.array(variances)))


def _mean(scenes: Sequence[Covered], bands: int) -> Doubles:
    mean = np.zeros(bands)
    with np.errstate(invalid="ignore"):
        for pixels, weight in covered_pixels(scenes):
            mean += (weight[:, None] * pixels).sum(axis=0)
    return mean / _patch_pixels(scenes)


def _covariance(scenes: Sequence[Covered], mean: Doubles) -> Doubles:
    """Of each two bands, about the mean: a second pass, for of large values differences are lost in one."""
    products = np.zeros((len(mean), len(mean)))
    for pixels, weight in covered_pixels(scenes):
        centred = pixels - mean
        products += (weight[:, None] * centred).T @ centred
    return products / _patch_pixels(scenes)


def _patch_pixels(scenes: Sequence[Covered]) -> float:
    """Pixels of all patches, each counted for every patch that it is in."""
    return float(sum(int(times.sum(dtype=np.int64)) for _, times in scenes))


def _rounded(numbers: Doubles) -> tuple[float, ...]:
    return tuple(numbers.astype(np.float32).astype(float).tolist())


def project_values(values: Values, projection: Projection) -> Values:
    """Components of a whole scene, (rows, columns, bands) to (rows, columns, components), in a file.

    The file lies among the machine's temporary ones, has no name, and ends with the array.
    """
    rows, columns, bands = values.shape
    shape = rows, columns, projection.components
    with tempfile.TemporaryFile(prefix="mpmm-components-") as file:
        projected = np.memmap(file, np.float32, "w+", shape=shape)
    step = max(1, CHUNK // (columns * bands))
    for start in range(0, rows, step):
        projection.fill(values[start : start + step], projected[start : start + step])
    projected.flags.writeable = False
    return projected
