"""Streets and rails of the synthetic scene: strips along one axis, their markings and their traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from mpmm.synthetic.chance import Dice
from mpmm.synthetic.materials import TRAIN_PAINTS
from mpmm.synthetic.objects import OrientedPlan, car
from mpmm.synthetic.plan import METRE, Box, Cover, PaintLayer, ShapeKind, Surface, TownPlan

M = METRE


class Street(IntEnum):
    """ShapeKind of a strip; the larger runs over the smaller where two cross."""

    BLOCK = 0
    ROAD = 1
    THOROUGHFARE = 2
    RAIL = 3
    HIGHWAY = 4


# width from property line to property line, and of the sidewalk on each side, in ticks
WIDTH = {Street.ROAD: 9 * M, Street.THOROUGHFARE: 13 * M, Street.RAIL: 9 * M, Street.HIGHWAY: 13 * M}
SIDEWALK = {Street.ROAD: 35, Street.THOROUGHFARE: 40, Street.RAIL: 0, Street.HIGHWAY: 0}


@dataclass(frozen=True)
class Strip:
    """A street, or the land between two, from `start` to `end` ticks along one axis."""

    street: Street
    start: int
    end: int

    @property
    def surface(self) -> tuple[int, int]:
        """Start and end without the sidewalks."""
        return self.start + SIDEWALK.get(self.street, 0), self.end - SIDEWALK.get(self.street, 0)


def lay_strips(
    dice: Dice, low: int, high: int, anchor: int, blocks: tuple[int, int], deck: Sequence[Street]
) -> list[Strip]:
    """Strips that cover [low, high): blocks and streets in turn, a block starting at `anchor`.

    Streets east (or south) of the anchor follow `deck` over and over, so the first of each kind is near it.
    """
    onward, position, number = [], anchor, 0
    while position < high:
        block = Strip(Street.BLOCK, position, position + dice.between(*blocks))
        street = Strip(deck[number % len(deck)], block.end, block.end + WIDTH[deck[number % len(deck)]])
        onward += [block, street]
        position, number = street.end, number + 1
    backward, position = [], anchor
    while position > low:
        kind = dice.pick(deck)
        street = Strip(kind, position - WIDTH[kind], position)
        block = Strip(Street.BLOCK, street.start - dice.between(*blocks), street.start)
        backward += [street, block]
        position = block.start
    return backward[::-1] + onward


def draw_street(plan: TownPlan, dice: Dice, strip: Strip, reach: tuple[int, int], down: bool) -> None:
    """Draw one strip over `reach` (its start and end lengthwise); `down`: it runs down the rows."""
    axis = OrientedPlan(plan, down)
    whole = Box(reach[0], strip.start, reach[1], strip.end)
    inner = Box(reach[0], strip.surface[0], reach[1], strip.surface[1])
    if strip.street in (Street.ROAD, Street.THOROUGHFARE):
        axis.add(PaintLayer.SIDEWALK, whole, Surface("concrete", Cover.SIDEWALKS, tone=dice.between(-12, 12)))
        # joints every 1.5 m
        axis.add(PaintLayer.SIDEWALK, whole, Surface("asphalt", Cover.SIDEWALKS), along=(30, 2))
    draw = {
        Street.ROAD: _road,
        Street.THOROUGHFARE: _thoroughfare,
        Street.RAIL: _rail,
        Street.HIGHWAY: _highway,
    }
    draw[strip.street](axis, dice, inner)


def _road(axis: OrientedPlan, dice: Dice, box: Box) -> None:
    axis.add(PaintLayer.ROAD, box, Surface("asphalt", Cover.ROADS, tone=dice.between(-25, 25)))
    middle = box.width // 2
    axis.add(
        PaintLayer.ROAD_MARK,
        box.columns(middle - 2, middle + 2),
        Surface("white line", Cover.ROADS),
        along=(140, 60),
    )
    _traffic(axis, dice, box, lanes=(30, box.width - 66), every=60 * M)


def _thoroughfare(axis: OrientedPlan, dice: Dice, box: Box) -> None:
    cover = Cover.MAJOR_THOROUGHFARES
    axis.add(PaintLayer.MAJOR, box, Surface("asphalt", cover, tone=dice.between(-25, 25)))
    middle = box.width // 2
    for line in (middle - 9, middle + 4):
        axis.add(PaintLayer.MAJOR_MARK, box.columns(line, line + 5), Surface("yellow line", cover))
    for line in (box.width // 4, 3 * box.width // 4):
        axis.add(
            PaintLayer.MAJOR_MARK,
            box.columns(line - 2, line + 2),
            Surface("white line", cover),
            along=(180, 60),
        )
    _traffic(axis, dice, box, lanes=(8, middle - 46, middle + 14, box.width - 44), every=35 * M)


def _highway(axis: OrientedPlan, dice: Dice, box: Box) -> None:
    axis.add(PaintLayer.HIGHWAY, box, Surface("concrete", Cover.HIGHWAYS, tone=dice.between(-20, 20)))
    middle = box.width // 2
    axis.add(PaintLayer.HIGHWAY_MARK, box.columns(middle - 8, middle + 8), Surface("asphalt", Cover.HIGHWAYS))
    for line in (10, middle - 14, middle + 10, box.width - 14):
        axis.add(PaintLayer.HIGHWAY_MARK, box.columns(line, line + 4), Surface("white line", Cover.HIGHWAYS))
    for line in (box.width // 4, 3 * box.width // 4):
        axis.add(
            PaintLayer.HIGHWAY_MARK,
            box.columns(line - 2, line + 2),
            Surface("white line", Cover.HIGHWAYS),
            along=(240, 60),
        )
    _traffic(axis, dice, box, lanes=(20, middle - 54, middle + 22, box.width - 58), every=40 * M)


def _rail(axis: OrientedPlan, dice: Dice, box: Box) -> None:
    axis.add(PaintLayer.RAIL, box, Surface("ballast", Cover.RAILWAYS, tone=dice.between(-15, 15)))
    for centre in (box.width // 4, 3 * box.width // 4):
        axis.add(
            PaintLayer.RAIL_MARK,
            box.columns(centre - 26, centre + 26),
            Surface("bare earth", Cover.RAILWAYS, tone=-90),
            along=(12, 5),
        )
        for rail in (centre - 16, centre + 13):
            axis.add(PaintLayer.RAIL_MARK, box.columns(rail, rail + 4), Surface("rail steel", Cover.RAILWAYS))
        _trains(axis, dice, box.columns(centre - 31, centre + 31))


def _trains(axis: OrientedPlan, dice: Dice, track: Box) -> None:
    """Trains of wagons along a track, about half of its length."""
    position = track.top + dice.between(0, 30 * M)
    while position < track.bottom:
        for _ in range(dice.between(2, 6)):
            end = min(position + dice.between(10, 14) * M, track.bottom)
            wagon = Box(position, track.left, end, track.right)
            axis.add(
                PaintLayer.VEHICLE,
                wagon,
                Surface(dice.pick(TRAIN_PAINTS), Cover.TRAINS, height=400, tone=dice.between(-30, 30)),
            )
            axis.add(
                PaintLayer.VEHICLE_DETAIL,
                wagon.inset(6, 8),
                Surface("silver paint", Cover.TRAINS),
                along=(40, 6),
            )
            position = end + 20
        position += dice.between(12, 45) * M


def _traffic(axis: OrientedPlan, dice: Dice, box: Box, lanes: tuple[int, ...], every: int) -> None:
    """Cars on the lanes (left edges in ticks), one about `every` ticks on each."""
    for lane in lanes:
        position = box.top + dice.below(every)
        while position < box.bottom:
            car(axis, dice, position, box.left + lane)
            position += every // 2 + dice.below(every)


def draw_crossing(plan: TownPlan, dice: Dice, upright: Strip, level: Strip) -> None:
    """Crosswalks on most of the four arms of a crossing, where both streets have sidewalks."""
    if {upright.street, level.street} & {Street.RAIL, Street.HIGHWAY}:
        return
    (left, right), (top, bottom) = upright.surface, level.surface
    for near in (top - 58, bottom + 4):
        _stripes(plan, dice, Box(near, left, near + 54, right), ShapeKind.BARS_ACROSS)
    for near in (left - 58, right + 4):
        _stripes(plan, dice, Box(top, near, bottom, near + 54), ShapeKind.BARS_DOWN)


def _stripes(plan: TownPlan, dice: Dice, box: Box, kind: ShapeKind) -> None:
    """One crosswalk, or none at all: bars of 0.7 m every 1.6 m, worn, on dark asphalt.

    From afar it is hardly brighter than the road: only a camera sees the bars.
    """
    if dice.chance(30):
        return
    cover, worn = Cover.CROSSWALKS, dice.between(-30, 10)
    plan.add(PaintLayer.CROSSWALK, box, Surface("asphalt", cover, tone=dice.between(-80, -50)))
    plan.add(PaintLayer.CROSSWALK_MARK, box, Surface("worn line", cover, tone=worn), kind=kind, bars=(32, 14))
