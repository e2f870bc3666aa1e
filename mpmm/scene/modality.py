"""One modality of a scene: a sensor's rasters and how they come onto the label grid."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from mpmm.errors import SceneError
from mpmm.scene.array_names import array_name
from mpmm.scene.bands import usable_calibration
from mpmm.scene.grid import Position
from mpmm.scene.products import Product, Quality
from mpmm.scene.resampling import Method

Resampling = Literal["auto", Method]
NormalizationKind = Literal["standard", "minmax", "none"]


@dataclass(frozen=True)
class Modality:
    """A sensor's rasters and how they come onto the label grid.

    Parameters
    ----------
    name
        Letters, digits, ``_`` and ``-``; names the stream of the network that reads it.
    files
        Paths or glob patterns relative to the scene's folder: the tiles of one mosaic. A pattern's files come
        in name order; where tiles overlap, the later file wins wherever it has data.
    bands
        Bands to keep, counted from 1, in this order; None: all but those that the file calls bad, and a band
        that it calls alpha, which then says where data is missing.
    drop_bands
        Bands to leave out, counted from 1.
    resampling
        ``auto``: ``average`` where the source's pixel is smaller than the grid's, else ``bilinear``.
    scale, offset
        Each value becomes ``value * scale + offset``; finite, and a scale other than 0. None of both: what
        each file says of its bands (GDAL's scale and offset, ENVI's data gain and offset values). Where one
        is given, the files' own do not count.
    nodata
        The value that means "no data"; None: what the files say.
    crs
        The coordinate system the files are in. Needed where they have none, and where it is not the labels'
        (that is the leave to warp them).
    normalization
        How training normalises each band.
    stack
        The files are not tiles but bands: each gives its bands, one file after the other.
    position
        "file": where the file says. "none": over the whole of the labels, whatever the file says; its pixels
        are larger or smaller than theirs by the ratio of the sizes. MATLAB and NumPy files have none.
    product
        The files are products as published: folders, zip archives or files of this kind; wavelengths, bad
        bands, scale and nodata values come from their metadata.
    quality
        Of products: "drop" takes pixels as missing that their own quality layers call cloud, shadow or
        cirrus.
    wavelengths
        Centre of each of the files' bands in nm, for files that do not tell it; None: what they say.
    near
        Wavelengths in nm: keep the band nearest to each, in this order, instead of ``bands``.
    between
        Ranges of wavelengths in nm, each from and to: of the bands above keep those in one of them.
    evenly
        Keep so many of the bands that are left, spread evenly over them, the first and the last among them.
    """

    name: str
    files: tuple[str, ...]
    bands: tuple[int, ...] | None = None
    drop_bands: tuple[int, ...] = ()
    resampling: Resampling = "auto"
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    crs: str | None = None
    normalization: NormalizationKind = "standard"
    stack: bool = False
    position: Position = "file"
    product: Product | None = None
    quality: Quality = "keep"
    wavelengths: tuple[float, ...] | None = None
    near: tuple[float, ...] | None = None
    between: tuple[tuple[float, float], ...] | None = None
    evenly: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.files, str):
            object.__setattr__(self, "files", (self.files,))
        self._check_name_and_files()
        if any(array_name(name) is not None for name in self.files):
            object.__setattr__(self, "position", "none")
        self._check_bands()
        if self.calibration is not None and not usable_calibration(*self.calibration):
            scale, offset = self.calibration
            raise SceneError(
                f"{self.name}: scale {scale:g} and offset {offset:g} leave no values",
                "take finite numbers, and a scale other than 0",
            )

    def _check_name_and_files(self) -> None:
        """Refuse a name that no file or table could bear, no files, and what only products have."""
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", self.name) or self.name == "labels":
            raise SceneError(
                f"modality name {self.name!r} cannot be used",
                "take letters, digits, _ and -, a letter first; labels is taken",
            )
        if not self.files:
            raise SceneError(f"{self.name}: no files are named", "list at least one file or pattern")
        if self.quality != "keep" and self.product is None:
            raise SceneError(
                f"{self.name}: quality is of products, and product is not given",
                'name the product, e.g. product = "enmap"',
            )

    def _check_bands(self) -> None:
        """Refuse a choice of bands that says two things, or leaves none."""
        if self.near is not None and self.bands is not None:
            raise SceneError(f"{self.name}: both bands and near are given", "choose bands by one of them")
        if self.evenly is not None and self.evenly < 1:
            raise SceneError(f"{self.name}: evenly = {self.evenly} leaves no band", "keep one band or more")
        for low, high in self.between or ():
            if not low <= high:
                raise SceneError(
                    f"{self.name}: between has the range {low:g} to {high:g} nm", "name the shorter first"
                )

    @property
    def calibration(self) -> tuple[float, float] | None:
        """Scale and offset as given; None: the files' own count."""
        if self.scale is None and self.offset is None:
            return None
        scale = 1.0 if self.scale is None else self.scale
        return scale, 0.0 if self.offset is None else self.offset


def check_modalities(
    names: Iterable[str], known: Collection[str], asker: str = "", hint: str = "take one of these"
) -> None:
    """Refuse a name that none of a scene's modalities has.

    Parameters
    ----------
    names
        Of the modalities that are asked for.
    known
        Names of the scene's modalities.
    asker
        The setting that asks, told first; empty: none.
    hint
        What to do about it.

    Raises
    ------
    SceneError
        Naming the first that is missing, and what there is.
    """
    for name in names:
        if name not in known:
            who = f"{asker}: " if asker else ""
            raise SceneError(
                f"{who}the scene has no modality {name!r}; it has {', '.join(known) or 'none'}", hint
            )
