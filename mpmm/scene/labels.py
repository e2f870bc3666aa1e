"""The label raster: which land cover each pixel of the scene has; its grid is the scene's grid."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mpmm.errors import SceneError
from mpmm.scene.array_names import array_name
from mpmm.scene.grid import Position
from mpmm.scene.vector_names import is_vector

LARGEST_ID = 32767
# the id of a pixel where the label raster has no data
NO_LABEL = -1
# pixels through which a polygon's border passes; pixels in polygons of different classes
Borders = Literal["keep", "drop"]
Overlaps = Literal["refuse", "drop"]


@dataclass(frozen=True)
class LandCover:
    """One class of land cover: its id in the label raster, its name, its colour ``#rrggbb`` in maps."""

    id: int
    name: str
    color: str

    @property
    def title(self) -> str:
        """The class by number and name, as in "class 7 (water)"; its number alone where it has no name."""
        number = f"class {self.id}"
        return number if self.name == number else f"{number} ({self.name})"

    def __post_init__(self) -> None:
        if not 0 <= self.id <= LARGEST_ID:
            raise SceneError(
                f"class {self.name!r} has id {self.id}; ids go from 0 to {LARGEST_ID}", "renumber it"
            )
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise SceneError(
                f"class {self.name!r} has color {self.color!r}", 'write it as "#rrggbb", e.g. "#32cd33"'
            )


@dataclass(frozen=True)
class Labels:
    """The label raster and what its ids mean.

    Parameters
    ----------
    file
        Path, relative to the scene's folder, of any raster that rasterio opens, of an array
        (``truth.mat``, ``scene.mat:truth``), or a pattern for its tiles. Whole numbers stored as floats are
        fine. Or of a vector file (GeoPackage, GeoJSON, Shapefile, FlatGeobuf), whose polygons and points are
        burned onto the grid.
    classes
        The classes; empty: every id found in the raster, except ``ignore``, becomes a class.
    ignore
        Values that mean "not labelled"; they need not be ids.
    crs
        Coordinate reference system, only for a file that has none.
    band
        The band to read, counted from 1; None: the only one that the raster has besides alpha bands.
    position
        "file": where the file says. "none": nowhere on the ground, whatever the file says; maps then have no
        position either. MATLAB and NumPy files have none.
    layer, column
        Of a vector file: the layer, and its column of classes. None: the only one; or the column "class".
    borders
        Of polygons: "keep" labels the pixels whose centre is inside; "drop" of these none through which a
        border passes.
    overlaps
        Of shapes of different classes: "refuse" them, or "drop" the labels of pixels that they share.
    grid
        The modality whose pixels a vector file is burned onto; None: the one with the most bands.
    """

    file: str
    classes: tuple[LandCover, ...] = ()
    ignore: tuple[int, ...] = (0,)
    crs: str | None = None
    band: int | None = None
    position: Position = "file"
    layer: str | None = None
    column: str | None = None
    borders: Borders = "keep"
    overlaps: Overlaps = "refuse"
    grid: str | None = None

    def __post_init__(self) -> None:
        if array_name(self.file) is not None:
            object.__setattr__(self, "position", "none")
        ids = [land_cover.id for land_cover in self.classes]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise SceneError(
                f"labels: class ids {twice} are listed more than once", "give each class its own id"
            )
        ignored = sorted(set(ids) & set(self.ignore))
        if ignored:
            raise SceneError(
                f"labels: ids {ignored} are both classes and ignored", "take them from one of the lists"
            )

    @property
    def is_burned(self) -> bool:
        """Whether the labels come from a vector file."""
        return is_vector(Path(self.file))

    def may_lie_on(self, modality: str) -> bool:
        """Whether the headers of this modality tell the grid that labels are burned onto."""
        return self.grid in (None, modality)
