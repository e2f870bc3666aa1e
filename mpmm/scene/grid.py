"""Where the pixels of a north-up raster lie on the ground."""

from dataclasses import dataclass
from typing import Literal

# whether a raster lies where its file says, or is taken as it is, its pixels over those of the others
Position = Literal["file", "none"]
# the coordinate system of pixels that lie nowhere on the ground
PIXELS = 'LOCAL_CS["pixels",UNIT["pixel",1]]'


@dataclass(frozen=True)
class Grid:
    """A north-up raster's coordinate system, position and size.

    Parameters
    ----------
    crs
        Coordinate reference system as WKT.
    transform
        Affine coefficients ``(a, b, c, d, e, f)``: ``x = a*column + b*row + c``,
        ``y = d*column + e*row + f``, in units of the CRS, from the upper-left corner of pixel (0, 0).
    height, width
        Rows and columns of the raster, in pixels.
    """

    crs: str | None
    transform: tuple[float, float, float, float, float, float]
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the raster, in pixels."""
        return self.height, self.width

    @property
    def pixel_size(self) -> tuple[float, float]:
        """Width and height of a pixel in units of the CRS."""
        return abs(self.transform[0]), abs(self.transform[4])

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        a, _, west, _, e, north = self.transform
        return west, north + e * self.height, west + a * self.width, north

    @classmethod
    def of_pixels(cls, height: int, width: int) -> "Grid":
        """Return the grid of a raster without a position on the ground."""
        return cls(PIXELS, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), height, width)

    @property
    def has_position(self) -> bool:
        """Whether the pixels lie anywhere on the ground."""
        return self.crs != PIXELS

    def divided(self, height: int, width: int) -> "Grid":
        """Return the grid of the same ground in other numbers of rows and columns."""
        a, b, c, d, e, f = self.transform
        return Grid(self.crs, (a * self.width / width, b, c, d, e * self.height / height, f), height, width)

    def part(self, row: int, column: int, height: int, width: int) -> "Grid":
        """Return the grid of the window that starts at ``row``, ``column``; it may reach outside."""
        a, b, c, d, e, f = self.transform
        return Grid(self.crs, (a, b, c + a * column, d, e, f + e * row), height, width)
