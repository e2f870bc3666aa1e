"""Where the pixels of a north-up raster lie on the ground."""

from dataclasses import dataclass


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

    def part(self, row: int, column: int, height: int, width: int) -> "Grid":
        """Return the grid of the window that starts at ``row``, ``column``; it may reach outside."""
        a, b, c, d, e, f = self.transform
        return Grid(self.crs, (a, b, c + a * column, d, e, f + e * row), height, width)
