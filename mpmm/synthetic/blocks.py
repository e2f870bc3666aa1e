"""City blocks of the synthetic scene: what fills the land between the streets."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from mpmm.synthetic.chance import Dice
from mpmm.synthetic.objects import OrientedPlan, car, house, tree, trees
from mpmm.synthetic.plan import METRE, Box, Cover, PaintLayer, ShapeKind, Surface, TownPlan

M = METRE


class Use(IntEnum):
    """Land use of a block."""

    PARK = 0
    MEADOW = 1
    HOUSES = 2
    OFFICES = 3
    PARKING = 4
    GRAVEL_LOT = 5
    STADIUM = 6
    BARE = 7
    LAKE = 8


# every use once, so that a scene has every class; trees are small, so parks come twice
EVERY_USE = (*Use, Use.PARK)
# and how often beyond that: classes are as uneven as in a town
USUAL = (
    *(Use.OFFICES,) * 9,
    *(Use.HOUSES,) * 7,
    *(Use.PARKING,) * 3,
    *(Use.MEADOW,) * 3,
    *(Use.PARK,) * 2,
    Use.BARE,
    Use.GRAVEL_LOT,
)


def draw_block(plan: TownPlan, dice: Dice, box: Box, use: Use) -> None:
    """Fill `box` (ticks) as `use` says."""
    _DRAW[use](plan, dice, box)


def _park(plan: TownPlan, dice: Dice, box: Box) -> None:
    plan.add(
        PaintLayer.GROUND, box, Surface("healthy grass", Cover.HEALTHY_GRASS, tone=dice.between(-15, 15))
    )
    if min(box.height, box.width) > 24 * M:
        middle = box.width // 2
        plan.add(
            PaintLayer.DETAIL, box.columns(middle - 20, middle + 20), Surface("concrete", Cover.SIDEWALKS)
        )
    trees(plan, dice, box, every=5 * M, radii=(42, 66))


def _meadow(plan: TownPlan, dice: Dice, box: Box) -> None:
    plan.add(
        PaintLayer.GROUND, box, Surface("stressed grass", Cover.STRESSED_GRASS, tone=dice.between(-15, 15))
    )
    for _ in range(box.height * box.width // (30 * M) ** 2):
        row, column = dice.between(box.top, box.bottom - 1), dice.between(box.left, box.right - 1)
        tree(plan, dice, row, column, dice.between(30, 60), dice.below(2))


def _houses(plan: TownPlan, dice: Dice, box: Box) -> None:
    down, across = max(1, box.height // (17 * M)), max(1, box.width // (13 * M))
    for row in range(down):
        for column in range(across):
            lot = Box(
                box.top + box.height * row // down,
                box.left + box.width * column // across,
                box.top + box.height * (row + 1) // down,
                box.left + box.width * (column + 1) // across,
            )
            _lot(plan, dice, lot)


def _lot(plan: TownPlan, dice: Dice, lot: Box) -> None:
    lawn, cover = dice.pick(
        [("healthy grass", Cover.HEALTHY_GRASS), ("stressed grass", Cover.STRESSED_GRASS)]
    )
    plan.add(
        PaintLayer.GROUND,
        lot,
        Surface(lawn, cover if dice.chance(70) else Cover.NOTHING, tone=dice.between(-12, 12)),
    )
    house(plan, dice, lot)
    drive = Box(lot.top, lot.left + 5, lot.top + lot.height // 3, lot.left + 50)
    plan.add(PaintLayer.DETAIL, drive, Surface("concrete", Cover.NOTHING))
    if dice.chance(40):
        car(OrientedPlan(plan, down=True), dice, drive.top + 4, drive.left + 3)
    if dice.chance(60):
        tree(plan, dice, lot.bottom - 35, lot.right - 35, dice.between(25, 45), dice.below(2))


def _offices(plan: TownPlan, dice: Dice, box: Box) -> None:
    plan.add(PaintLayer.GROUND, box, Surface("concrete", Cover.NOTHING, tone=dice.between(-20, 20)))
    body = box.inset(box.height // 14, box.width // 14)
    roofs = [
        "grey membrane",
        "grey membrane",
        "tan gravel roof",
        "tan gravel roof",
        "white membrane",
        "asphalt",
    ]
    parts = 1 if box.width < 30 * M else dice.between(1, 3)
    for part in range(parts):
        wing = body.columns(body.width * part // parts, body.width * (part + 1) // parts)
        if part and dice.chance(50):
            wing = wing.rows(0, wing.height * dice.between(50, 80) // 100)
        height = dice.between(800, 2200)
        _flat_roof(plan, dice, wing, dice.pick(roofs), height)


def _flat_roof(plan: TownPlan, dice: Dice, wing: Box, roof: str, height: int) -> None:
    """A flat roof with a parapet and air conditioners."""
    tone, cover = dice.between(-20, 20), Cover.NON_RESIDENTIAL
    plan.add(PaintLayer.BUILDING, wing, Surface(roof, cover, height=height, tone=tone + 25))
    plan.add(PaintLayer.ROOF, wing.inset(8), Surface(roof, cover, height=height - 40, tone=tone))
    for _ in range(wing.height * wing.width // (10 * M) ** 2):
        top, left = dice.between(wing.top, wing.bottom), dice.between(wing.left, wing.right)
        unit = Box(top, left, min(top + 36, wing.bottom - 10), min(left + 50, wing.right - 10))
        plan.add(PaintLayer.ROOF, unit, Surface("silver paint", cover, height=height + 120))


def _parking(plan: TownPlan, dice: Dice, box: Box) -> None:
    down = dice.chance(50)
    axis = OrientedPlan(plan, down)
    lot = axis.own(box)
    axis.add(PaintLayer.GROUND, lot, Surface("asphalt", Cover.PAVED_PARKING, tone=dice.between(-25, 25)))
    # a row of stalls is 5 m deep, the aisle behind it 6 m or more
    rows = max(1, (lot.width - 2 * M) // (11 * M))
    for row in range(rows):
        left = lot.left + M + (lot.width - 2 * M) * row // rows
        stalls = Box(lot.top + M, left, lot.bottom - M, left + 5 * M)
        axis.add(PaintLayer.DETAIL, stalls, Surface("white line", Cover.PAVED_PARKING), along=(52, 4))
        _parked(OrientedPlan(plan, not down), dice, stalls.turned(), percent=55)


def _parked(axis: OrientedPlan, dice: Dice, stalls: Box, percent: int) -> None:
    """Cars along the axis in stalls of 2.6 m that follow each other across it."""
    for across in range(stalls.left + 9, stalls.right - 40, 52):
        if dice.chance(percent):
            car(axis, dice, stalls.top + dice.between(2, 8), across)


def _gravel_lot(plan: TownPlan, dice: Dice, box: Box) -> None:
    axis = OrientedPlan(plan, down=dice.chance(50))
    lot = axis.own(box)
    ground = dice.pick(["gravel", "bare earth"])
    axis.add(PaintLayer.GROUND, lot, Surface(ground, Cover.UNPAVED_PARKING, tone=dice.between(-15, 15)))
    # pairs of wheel tracks, and cars between some of them
    for left in range(lot.left + 3 * M, lot.right - 5 * M, 5 * M):
        axis.add(
            PaintLayer.DETAIL,
            lot.columns(left - lot.left, left - lot.left + 46),
            Surface(ground, Cover.UNPAVED_PARKING, tone=-75),
            across=(32, 14),
        )
        for top in range(lot.top + M, lot.bottom - 6 * M, 6 * M):
            if dice.chance(22):
                car(axis, dice, top, left)


def _stadium(plan: TownPlan, dice: Dice, box: Box) -> None:
    axis = OrientedPlan(plan, down=box.height >= box.width)
    whole = axis.own(box)
    plan.add(PaintLayer.GROUND, box, Surface("concrete", Cover.NOTHING))
    stand = max(2 * M + 10, min(12 * M, whole.width // 5))
    plastic = ["red plastic", "blue plastic", "blue plastic"]
    for side in (whole.columns(0, stand), whole.columns(whole.width - stand, whole.width)):
        cover = Cover.STADIUM_SEATS
        axis.add(PaintLayer.BUILDING, side, Surface("concrete", cover, height=350))
        axis.add(PaintLayer.ROOF, side, Surface(dice.pick(plastic), cover, height=360), across=(22, 15))
        axis.add(PaintLayer.ROOF, side, Surface("concrete", cover, height=330), along=(12 * M, 20))
    turf = whole.columns(stand + 10, whole.width - stand - 10).inset(10, 0)
    axis.add(
        PaintLayer.GROUND, turf, Surface("artificial turf", Cover.ARTIFICIAL_TURF, tone=dice.between(-12, 12))
    )
    axis.add(
        PaintLayer.DETAIL, turf.inset(0, 20), Surface("white line", Cover.ARTIFICIAL_TURF), along=(9 * M, 3)
    )


def _bare(plan: TownPlan, dice: Dice, box: Box) -> None:
    ground = dice.pick(["gravel", "bare earth", "bare earth"])
    plan.add(PaintLayer.GROUND, box, Surface(ground, Cover.BARE_EARTH, tone=dice.between(-15, 15)))
    for _ in range(box.height * box.width // (9 * M) ** 2):
        row, column = dice.between(box.top, box.bottom - 1), dice.between(box.left, box.right - 1)
        size = dice.between(15, 60)
        heap = Box(
            max(box.top, row - size),
            max(box.left, column - size),
            min(box.bottom, row + size),
            min(box.right, column + size),
        )
        tone = dice.between(-35, 35)
        plan.add(
            PaintLayer.DETAIL, heap, Surface(ground, Cover.BARE_EARTH, tone=tone), kind=ShapeKind.ELLIPSE
        )


def _lake(plan: TownPlan, dice: Dice, box: Box) -> None:
    plan.add(
        PaintLayer.GROUND, box, Surface("healthy grass", Cover.HEALTHY_GRASS, tone=dice.between(-15, 15))
    )
    down, across = box.height // dice.between(8, 12), box.width // dice.between(8, 12)
    shore = box.inset(down, across)
    plan.add(
        PaintLayer.DETAIL,
        shore,
        Surface("water", Cover.WATER, tone=dice.between(-10, 10)),
        kind=ShapeKind.ELLIPSE,
    )


_DRAW: dict[Use, Callable[[TownPlan, Dice, Box], None]] = {
    Use.PARK: _park,
    Use.MEADOW: _meadow,
    Use.HOUSES: _houses,
    Use.OFFICES: _offices,
    Use.PARKING: _parking,
    Use.GRAVEL_LOT: _gravel_lot,
    Use.STADIUM: _stadium,
    Use.BARE: _bare,
    Use.LAKE: _lake,
}
