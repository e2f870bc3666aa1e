"""The plan of a synthetic scene: plain shapes with a material and a class, in the order they are painted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mpmm.synthetic.materials import NUMBERS

# one tick is a pixel of the RGB, 0.05 m
METRE = 20


class ShapeKind(IntEnum):
    """Form of a shape within its box."""

    BOX = 0
    ELLIPSE = 1
    BARS_DOWN = 2  # bars that repeat down the rows
    BARS_ACROSS = 3  # bars that repeat across the columns


class PaintLayer(IntEnum):
    """Painting order: later covers earlier."""

    GROUND = 0
    DETAIL = 1
    SIDEWALK = 2
    ROAD = 3
    ROAD_MARK = 4
    MAJOR = 5
    MAJOR_MARK = 6
    RAIL = 7
    RAIL_MARK = 8
    HIGHWAY = 9
    HIGHWAY_MARK = 10
    CROSSWALK = 11
    CROSSWALK_MARK = 12
    VEHICLE = 13
    VEHICLE_DETAIL = 14
    BUILDING = 15
    ROOF = 16
    TREE = 17


class Cover(IntEnum):
    """DFC2018's class ids; 0 is what nobody labelled."""

    NOTHING = 0
    HEALTHY_GRASS = 1
    STRESSED_GRASS = 2
    ARTIFICIAL_TURF = 3
    EVERGREEN_TREES = 4
    DECIDUOUS_TREES = 5
    BARE_EARTH = 6
    WATER = 7
    RESIDENTIAL = 8
    NON_RESIDENTIAL = 9
    ROADS = 10
    SIDEWALKS = 11
    CROSSWALKS = 12
    MAJOR_THOROUGHFARES = 13
    HIGHWAYS = 14
    RAILWAYS = 15
    PAVED_PARKING = 16
    UNPAVED_PARKING = 17
    CARS = 18
    TRAINS = 19
    STADIUM_SEATS = 20


@dataclass(frozen=True)
class Box:
    """A rectangle in ticks, half open; rows grow southwards, columns eastwards."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows of the box, in ticks."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns of the box, in ticks."""
        return self.right - self.left

    def inset(self, down: int, across: int | None = None) -> Box:
        """The box with `down` ticks less above and below and `across` (default: `down`) less on the sides."""
        across = down if across is None else across
        return Box(self.top + down, self.left + across, self.bottom - down, self.right - across)

    def rows(self, top: int, bottom: int) -> Box:
        """Rows `top` to `bottom`, counted from the box's top."""
        return Box(self.top + top, self.left, self.top + bottom, self.right)

    def columns(self, left: int, right: int) -> Box:
        """Columns `left` to `right`, counted from the box's left."""
        return Box(self.top, self.left + left, self.bottom, self.left + right)

    def turned(self) -> Box:
        """The box with rows and columns exchanged."""
        return Box(self.left, self.top, self.right, self.bottom)


@dataclass(frozen=True)
class Surface:
    """What a shape is made of and counts as.

    Attributes
    ----------
    material
        Name of one of `MATERIALS`.
    cover
        Its class in the labels.
    height
        In cm above ground.
    tone
        How much brighter (or darker, below 0) than its material, in 256ths.
    """

    material: str
    cover: Cover = Cover.NOTHING
    height: int = 0
    tone: int = 0


@dataclass(frozen=True)
class Surfaces:
    """Shapes as arrays, in painting order; each of length `count`.

    Attributes
    ----------
    boxes
        (count, 4) int64: top, left, bottom, right in ticks.
    kind, period, bar
        Form; for bars the distance between two and the length of one, in ticks.
    material, cover, height, tone
        Index into the materials, class id (0: not labelled), cm above ground, brightness in 256ths.
    shadow
        Height in cm that casts a shadow; 0 for what lies on the ground or on something else.
    """

    boxes: NDArray[np.int64]
    kind: NDArray[np.int64]
    period: NDArray[np.int64]
    bar: NDArray[np.int64]
    material: NDArray[np.int64]
    cover: NDArray[np.int64]
    height: NDArray[np.int64]
    tone: NDArray[np.int64]
    shadow: NDArray[np.int64]


class TownPlan:
    """Collects the shapes of a town, and puts them into painting order."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, ...]] = []

    def add(
        self,
        layer: PaintLayer,
        box: Box,
        surface: Surface,
        kind: ShapeKind = ShapeKind.BOX,
        bars: tuple[int, int] = (1, 1),
    ) -> None:
        """Add one shape; an empty box adds nothing.

        Parameters
        ----------
        layer
            When it is painted.
        box
            Its bounds, in ticks.
        surface
            What it is made of and counts as.
        kind
            Its form within the box.
        bars
            Of bars: the distance from one's start to the next, and the length of one, in ticks.
        """
        if box.height <= 0 or box.width <= 0:
            return
        corner = (box.top, box.left, box.bottom, box.right)
        # under 2 m it is not worth painting
        shadow = surface.height if surface.height >= 200 and layer != PaintLayer.ROOF else 0
        made_of = (NUMBERS[surface.material], surface.cover, surface.height, surface.tone)
        self._rows.append((layer, *corner, kind, *bars, *made_of, shadow))

    def surfaces(self) -> Surfaces:
        """All shapes in painting order: by layer, within a layer in the order they came."""
        table = np.asarray(self._rows, dtype=np.int64)
        table = table[np.argsort(table[:, 0], kind="stable")]
        return Surfaces(table[:, 1:5], *(table[:, column] for column in range(5, 13)))
