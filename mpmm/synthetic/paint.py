"""Paints windows of the synthetic town: which surface each 5 cm show, and what lies in shade."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpmm.synthetic.chance import SlowLine
from mpmm.synthetic.city import Extent
from mpmm.synthetic.plan import METRE, Box, ShapeKind, Surfaces

# what a key of chance is for
BEND_DOWN, BEND_ACROSS = 11, 12
# how far the sensors look over the edge of the scene, in ticks
RIM = METRE
# the sun stands in the south-east: shadows fall north-west, by so many 64ths of a tick per cm of height
_SHADOW = (-7, -5)


@dataclass(frozen=True)
class Painting:
    """One window as painted.

    Attributes
    ----------
    surface
        (rows, columns) int32: index into the surfaces.
    shade
        (rows, columns) uint8: 1 where something taller stands in the sun.
    """

    surface: NDArray[np.int32]
    shade: NDArray[np.uint8]


class Painter:
    """Paints any window of a town; streets and houses are bent a little, so that nothing is straight.

    Parameters
    ----------
    surfaces
        The town's shapes in painting order.
    extent
        Ground extent of the town.
    seed
        From which the bends of streets and houses follow.
    """

    def __init__(self, surfaces: Surfaces, extent: Extent, seed: int) -> None:
        self._surfaces = surfaces
        whole, (amplitude, pitch) = extent.whole, extent.bend
        # a point at (row, column) shows the straight town's (row + bend(column), column + bend(row))
        self._down = SlowLine((seed, BEND_DOWN), whole.right + 2 * RIM, pitch, amplitude).values
        self._across = SlowLine((seed, BEND_ACROSS), whole.bottom + 2 * RIM, pitch, amplitude).values
        # boxes with their shadows, to find what a window shows
        self._reach = surfaces.boxes.copy()
        self._reach[:, :2] += surfaces.shadow[:, None] * np.asarray(_SHADOW) // 64

    def paint(self, window: Box, step: int = 1) -> Painting:
        """Paint every `step`-th tick of a window, starting in the middle of the first step.

        A window may reach `RIM` ticks over the scene's edge.
        """
        rows = np.arange(window.top + step // 2, window.bottom, step)
        columns = np.arange(window.left + step // 2, window.right, step)
        down, across = self._down[columns + RIM], self._across[rows + RIM]
        box = Box(
            window.top + int(down.min()),
            window.left + int(across.min()),
            window.bottom + int(down.max()),
            window.right + int(across.max()),
        )
        straight = self._straight(box)
        at = (rows[:, None] + down[None, :] - box.top) * box.width
        at += columns[None, :] + across[:, None] - box.left
        return Painting(straight.surface.reshape(-1)[at], straight.shade.reshape(-1)[at])

    def _straight(self, box: Box) -> Painting:
        surface = np.zeros((box.height, box.width), dtype=np.int32)
        shade = np.zeros((box.height, box.width), dtype=np.uint8)
        boxes = self._reach
        seen = (boxes[:, 0] < box.bottom) & (boxes[:, 2] > box.top)
        seen &= (boxes[:, 1] < box.right) & (boxes[:, 3] > box.left)
        for number in np.flatnonzero(seen):
            self._cast(int(number), box, shade)
            self._cover(int(number), box, surface, shade)
        return Painting(surface, shade)

    def _cast(self, number: int, box: Box, shade: NDArray[np.uint8]) -> None:
        """Shade the ground from the foot of a tall shape to the tip of its shadow."""
        height = int(self._surfaces.shadow[number])
        # copies of the shape close enough together to look like one area
        parts = -(-height // 100)
        for part in range(1, parts + 1):
            offset = (height * _SHADOW[0] * part // (64 * parts), height * _SHADOW[1] * part // (64 * parts))
            for rows, columns, mask in self._pieces(number, box, offset):
                view = shade[rows, columns]
                view[mask] = 1

    def _cover(self, number: int, box: Box, surface: NDArray[np.int32], shade: NDArray[np.uint8]) -> None:
        for rows, columns, mask in self._pieces(number, box, (0, 0)):
            surface[rows, columns][mask] = number
            if self._surfaces.height[number]:
                shade[rows, columns][mask] = 0

    def _pieces(
        self, number: int, box: Box, offset: tuple[int, int]
    ) -> list[tuple[slice, slice, NDArray[np.bool_] | slice]]:
        """The part of a shape, moved by `offset`, within a box: its bounds and what of them it covers."""
        top, left, bottom, right = (int(edge) for edge in self._surfaces.boxes[number])
        top, bottom = top + offset[0] - box.top, bottom + offset[0] - box.top
        left, right = left + offset[1] - box.left, right + offset[1] - box.left
        rows = slice(max(0, top), min(box.height, bottom))
        columns = slice(max(0, left), min(box.width, right))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return []
        down = np.arange(rows.start, rows.stop) - top
        across = np.arange(columns.start, columns.stop) - left
        kind = int(self._surfaces.kind[number])
        if kind == ShapeKind.ELLIPSE:
            return [(rows, columns, _ellipse(down, across, bottom - top, right - left))]
        if kind == ShapeKind.BOX:
            return [(rows, columns, slice(None))]
        period, bar = int(self._surfaces.period[number]), int(self._surfaces.bar[number])
        return _bars(rows, columns, top if kind == ShapeKind.BARS_DOWN else left, period, bar, kind)


def _ellipse(
    down: NDArray[np.int64], across: NDArray[np.int64], height: int, width: int
) -> NDArray[np.bool_]:
    """Where the ellipse inscribed in a box of this height and width is, in integers."""
    # twice the distance from the centre, to a pixel's middle
    y, x = 2 * down + 1 - height, 2 * across + 1 - width
    inside = (y * width)[:, None] ** 2 + (x * height)[None, :] ** 2 <= (height * width) ** 2
    return np.asarray(inside)


def _bars(
    rows: slice, columns: slice, first: int, period: int, bar: int, kind: int
) -> list[tuple[slice, slice, NDArray[np.bool_] | slice]]:
    """The bars of a shape that starts at `first`, one piece each."""
    along = rows if kind == ShapeKind.BARS_DOWN else columns
    pieces: list[tuple[slice, slice, NDArray[np.bool_] | slice]] = []
    for start in range(first + (along.start - first) // period * period, along.stop, period):
        piece = slice(max(start, along.start), min(start + bar, along.stop))
        if piece.start < piece.stop:
            pieces.append(
                (piece, columns, slice(None)) if kind == ShapeKind.BARS_DOWN else (rows, piece, slice(None))
            )
    return pieces
