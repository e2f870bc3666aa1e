"""Normalisation: a shift and a scale for each band, measured on training patches only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, get_args

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.band_sums import Covered, Doubles, Values, chunks_of, inside, pieces_of, sum_of_bands
from mpmm.patches.projection import Projection
from mpmm.patches.samples import Samples
from mpmm.patches.windows import window_sums
from mpmm.scene import NormalizationKind

# first row on the grid, and values (rows, columns, bands), of one of the scenes that are joined on it
Piece = tuple[int, Values]

# float64 copies of pixels are made for about so many numbers at a time: 16 MiB
CHUNK = 2**21
# numbers that are compared at once
ROW = 2**10


class Pixels(Protocol):
    """What patches need of a modality on the label grid; :class:`mpmm.scene.AlignedModality` has it."""

    @property
    def name(self) -> str:
        """The modality's name, as the scene's description gives it."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """First row on the grid and values (rows, columns, bands) of each scene, one below the other."""

    @property
    def normalization(self) -> NormalizationKind:
        """How training normalises each band."""


@dataclass(frozen=True)
class Normalization:
    """Each band, or each of the components that stand for them, becomes (value - shift) / scale.

    Attributes
    ----------
    kind
        "standard" (shift the mean, scale the standard deviation), "minmax" (onto 0..1) or "none".
    shift, scale
        One number a band. A band that never varies has scale 1, so that it becomes 0.
    projection
        What makes components of the bands before; None: the bands are taken themselves.
    """

    kind: NormalizationKind
    shift: tuple[float, ...]
    scale: tuple[float, ...]
    projection: Projection | None = None

    def __post_init__(self) -> None:
        kinds = get_args(NormalizationKind)
        if self.kind not in kinds:
            raise PatchError(f"normalisation {self.kind!r} is unknown", f"use one of {', '.join(kinds)}")
        usable = np.isfinite([*self.shift, *self.scale]).all() and min(self.scale, default=1) > 0
        if len(self.shift) != len(self.scale) or not usable:
            raise PatchError(
                f"normalisation with {len(self.shift)} shifts and {len(self.scale)} scales, not all usable",
                "give one finite shift and one scale above 0 for each band",
            )
        if self.projection is not None and self.projection.components != len(self.shift):
            raise PatchError(
                f"normalisation of {len(self.shift)} components, of {self.projection.components}",
                "give one shift and one scale for each component",
            )

    @classmethod
    def none(cls, bands: int) -> Self:
        """Leave every band as it is."""
        return cls("none", (0.0,) * bands, (1.0,) * bands)

    @property
    def bands(self) -> int:
        """Number of bands of the scene."""
        return len(self.shift) if self.projection is None else len(self.projection.mean)

    def linear(self) -> npt.NDArray[np.float32]:
        """Return shift and factor (1 / scale) of each band as the gather kernel takes them, (2, bands)."""
        return np.stack([np.array(self.shift), 1 / np.array(self.scale)]).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes and gives back to the bit."""
        plain = {"kind": self.kind, "shift": list(self.shift), "scale": list(self.scale)}
        return plain if self.projection is None else {**plain, "projection": self.projection.to_dict()}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Restore a normalisation from what :meth:`to_dict` gave."""
        missing = {"kind", "shift", "scale"} - set(plain)
        if missing:
            raise PatchError(f"normalisation without {', '.join(sorted(missing))}", "restore the run's files")
        projection = Projection.from_dict(plain["projection"]) if "projection" in plain else None
        shift, scale = (tuple(map(float, plain[key])) for key in ("shift", "scale"))
        return cls(plain["kind"], shift, scale, projection)


def measure_normalization(modality: Pixels, samples: Samples, size: int) -> Normalization:
    """Measure a modality's normalisation on the patches around these samples.

    A pixel counts once for every patch that it is in, so that the statistics are those of the patches.
    Sums are in float64, in the order of the scene's pixels: the same on every machine. Memory does not grow
    with the number of patches or bands.

    Raises
    ------
    PatchError
        There are no samples, a patch leaves the scene, or a band holds values that are not finite.
    """
    bands = modality.pieces[0][1].shape[2]
    if modality.normalization == "none":
        return Normalization.none(bands)
    if not len(samples):
        raise PatchError(f"{modality.name}: no training patches to normalise by", "draw training patches")
    measure = _extremes if modality.normalization == "minmax" else _moments
    shift, scale = measure(covered(modality, samples, size))
    if not np.isfinite(shift + scale).all():
        band = int(np.flatnonzero(~np.isfinite(shift + scale))[0])
        raise PatchError(
            f"{modality.name}: band {band} (from 0) holds values that are not finite in training patches",
            "mark them as missing by `nodata` in the scene's description",
        )
    scale = np.where(scale > 0, scale, 1.0)
    return Normalization(modality.normalization, tuple(shift.tolist()), tuple(scale.tolist()))


def covered(modality: Pixels, samples: Samples, size: int) -> list[Covered]:
    """Values of each scene, and for each of its pixels the patches that it is in.

    Raises
    ------
    PatchError
        A sample lies in no scene.
    """
    local = [(values, samples.within(first, len(values))) for first, values in modality.pieces]
    if sum(len(own) for _, own in local) < len(samples):
        raise PatchError(
            f"{modality.name}: a sample lies outside of the scene", "draw samples from this scene"
        )
    return [(values, coverage(own, size, values.shape[:2])) for values, own in local]


def coverage(samples: Samples, size: int, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Count for every pixel the patches that it is in, shape (rows, columns)."""
    centres = np.zeros(shape, np.int32)
    np.add.at(centres, (samples.rows, samples.columns), 1)
    # row by row, as the scene's values are
    return np.ascontiguousarray(window_sums(centres, size))


def _moments(scenes: Sequence[Covered]) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of each band, in two passes."""
    total = float(sum(int(times.sum(dtype=np.int64)) for _, times in scenes))
    bands = scenes[0][0].shape[2]
    mean = sum_of_bands(chunks_of(scenes, CHUNK), np.zeros(bands)) / total
    squares = sum_of_bands(chunks_of(scenes, CHUNK), mean, squared=True)
    return mean, np.sqrt(squares / total)


def _extremes(scenes: Sequence[Covered]) -> tuple[Doubles, Doubles]:
    """Minimum and range of each band."""
    low, high = band_extremes(scenes)
    return low, high - low


def band_extremes(scenes: Sequence[Covered]) -> tuple[Doubles, Doubles]:
    """Smallest and largest value of each band in the pixels that count."""
    ends = [
        _ends(pixels) for values, times in chunks_of(scenes, CHUNK) for pixels in pieces_of(values, times)
    ]
    low, high = (np.array(end, np.float64) for end in zip(*ends, strict=True))
    return low.min(axis=0), high.max(axis=0)


def _ends(pixels: Values) -> tuple[Values, Values]:
    """Smallest and largest value of each band; pixels side by side are compared faster than one by one."""
    count, bands = pixels.shape
    beside = max(1, min(count, ROW // bands))
    whole = count // beside * beside
    rows = pixels[:whole].reshape(-1, beside * bands)
    least, most = (end.reshape(beside, bands) for end in (rows.min(axis=0), rows.max(axis=0)))
    rest = pixels[whole:]
    return np.concatenate([least, rest]).min(axis=0), np.concatenate([most, rest]).max(axis=0)


def covered_pixels(scenes: Sequence[Covered]) -> Iterator[tuple[Doubles, Doubles]]:
    """Covered pixels and how often each counts, a chunk of rows at a time: (pixels, bands), (pixels,)."""
    for values, times in chunks_of(scenes, CHUNK):
        pixels, weight = inside(values, times)
        yield pixels.astype(np.float64), weight
