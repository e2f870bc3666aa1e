"""Windows: the parts of a scene that are mapped one by one, and the tiles they are computed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mpmm.errors import PatchError

# about the rows and columns of a large scene's windows: small enough that ranks end together, large enough
# that the half patch around them, which is computed as well, hardly counts
WINDOW = (256, 256)
# one of this many windows is halved, the last ones: a rank that ends first waits for less of the others' last
LAST = 8


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: its upper left one, rows and columns."""

    row: int
    column: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """How many pixels the window has."""
        return self.height * self.width

    def of(self, outer: Window) -> tuple[slice, slice]:
        """The part of an array over ``outer`` that this window covers."""
        row, column = self.row - outer.row, self.column - outer.column
        down, across = min(row + self.height, outer.height), min(column + self.width, outer.width)
        return slice(row, down), slice(column, across)

    def within(self, rows: int, columns: int) -> bool:
        """Whether it lies wholly in a scene of this size and has pixels."""
        inside = 0 <= self.row <= rows - self.height and 0 <= self.column <= columns - self.width
        return inside and self.height > 0 and self.width > 0


def checked_region(region: Window | None, rows: int, columns: int) -> Window:
    """The part of the scene to map: all of it by default.

    Raises
    ------
    PatchError
        The region reaches outside the scene, or has no pixels.
    """
    whole = Window(0, 0, rows, columns)
    if region is None:
        return whole
    if not region.within(rows, columns):
        raise PatchError(
            f"window of {region.height} x {region.width} pixels at row {region.row}, column {region.column}: "
            f"the scene has {rows} x {columns}",
            "give --window ROW COLUMN HEIGHT WIDTH within it, counted from 0",
        )
    return region


def cut(region: Window, edge: tuple[int, int] = WINDOW) -> tuple[Window, ...]:
    """Cut a region into windows of at most about ``edge``, as even as can be, row by row; halve the last."""
    rows = _even(region.row, region.height, edge[0])
    columns = _even(region.column, region.width, edge[1])
    windows = [Window(row, column, high, wide) for row, high in rows for column, wide in columns]
    begin = len(windows) - -(-len(windows) // LAST)
    return (*windows[:begin], *(half for window in windows[begin:] for half in _halves(window)))


def largest_half(windows: Sequence[Window]) -> tuple[int, int]:
    """Rows and columns of half the largest window: tiles that fit into it leave no window half empty."""
    return max(window.height for window in windows), max(-(-window.width // 2) for window in windows)


def tiles_of(window: Window, rows: int, columns: int) -> list[Window]:
    """Tiles of one size that cover a window; the last ones reach over its end."""
    down = range(window.row, window.row + window.height, rows)
    across = range(window.column, window.column + window.width, columns)
    return [Window(row, column, rows, columns) for row in down for column in across]


def _halves(window: Window) -> list[Window]:
    """Its left and its right half; itself where it has but one column."""
    pieces = _even(window.column, window.width, -(-window.width // 2))
    return [Window(window.row, column, window.height, wide) for column, wide in pieces]


def _even(start: int, length: int, most: int) -> list[tuple[int, int]]:
    """Starts and lengths of the fewest even pieces that are at most ``most`` long."""
    pieces = -(-length // most)
    ends = [start + length * piece // pieces for piece in range(pieces + 1)]
    return [(first, last - first) for first, last in pairwise(ends)]
