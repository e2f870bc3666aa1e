"""One modality of a scene: a sensor's rasters and how they come onto the label grid."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from mpmm.errors import SceneError
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
        Each value becomes ``value * scale + offset``; finite, and a scale other than 0.
    nodata
        The value that means "no data"; None: what the files say.
    crs
        The coordinate system the files are in. Needed where they have none, and where it is not the labels'
        (that is the leave to warp them).
    normalization
        How training normalises each band.
    stack
        The files are not tiles but bands: each gives its bands, one file after the other.
    """

    name: str
    files: tuple[str, ...]
    bands: tuple[int, ...] | None = None
    drop_bands: tuple[int, ...] = ()
    resampling: Resampling = "auto"
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    crs: str | None = None
    normalization: NormalizationKind = "standard"
    stack: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.files, str):
            object.__setattr__(self, "files", (self.files,))
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", self.name) or self.name == "labels":
            raise SceneError(
                f"modality name {self.name!r} cannot be used",
                "take letters, digits, _ and -, a letter first; labels is taken",
            )
        if not self.files:
            raise SceneError(f"{self.name}: no files are named", "list at least one file or pattern")
        if not (math.isfinite(self.scale) and math.isfinite(self.offset)) or self.scale == 0:
            raise SceneError(
                f"{self.name}: scale {self.scale:g} and offset {self.offset:g} leave no values",
                "take finite numbers, and a scale other than 0",
            )
