"""Single things of the synthetic scene: cars, trees, houses, and shapes that may lie either way round."""

from __future__ import annotations

from mpmm.synthetic.chance import Dice
from mpmm.synthetic.materials import CAR_PAINTS
from mpmm.synthetic.plan import METRE, Box, Cover, PaintLayer, ShapeKind, Surface, TownPlan

M = METRE


class OrientedPlan:
    """A plan seen along one axis: rows of a box are *along* it, columns *across* it.

    Parameters
    ----------
    plan
        Where the shapes go.
    down
        True: along is down the rows; False: along is across the columns.
    """

    def __init__(self, plan: TownPlan, down: bool) -> None:
        self._plan, self._down = plan, down

    def own(self, box: Box) -> Box:
        """A box of the plan as this axis sees it, and the other way round."""
        return box if self._down else box.turned()

    def add(
        self,
        layer: PaintLayer,
        box: Box,
        surface: Surface,
        *,
        along: tuple[int, int] | None = None,
        across: tuple[int, int] | None = None,
    ) -> None:
        """Add a box, or the bars (period, length) into which it is broken along or across the axis."""
        kind, bars = ShapeKind.BOX, (1, 1)
        if along is not None:
            kind, bars = (ShapeKind.BARS_DOWN if self._down else ShapeKind.BARS_ACROSS), along
        elif across is not None:
            kind, bars = (ShapeKind.BARS_ACROSS if self._down else ShapeKind.BARS_DOWN), across
        self._plan.add(layer, self.own(box), surface, kind=kind, bars=bars)


def car(axis: OrientedPlan, dice: Dice, along: int, across: int) -> None:
    """A car of about 1.9 m x 4.6 m with its windscreens; some nobody labelled."""
    body = Box(along, across, along + dice.between(84, 100), across + dice.between(35, 39))
    cover = Cover.CARS if dice.chance(85) else Cover.NOTHING
    axis.add(
        PaintLayer.VEHICLE,
        body,
        Surface(dice.pick(CAR_PAINTS), cover, height=150, tone=dice.between(-25, 25)),
    )
    for at in (24, body.height - 26):
        axis.add(PaintLayer.VEHICLE_DETAIL, body.rows(at, at + 10).inset(0, 4), Surface("glass", cover))


_LEAVES = (("evergreen leaves", Cover.EVERGREEN_TREES), ("deciduous leaves", Cover.DECIDUOUS_TREES))


def tree(plan: TownPlan, dice: Dice, row: int, column: int, radius: int, kind: int) -> None:
    """A crown of three overlapping ellipses; evergreen (0) or deciduous (1), alike but for the infrared."""
    leaves, cover = _LEAVES[kind]
    cover = cover if dice.chance(85) else Cover.NOTHING
    height = 200 + radius * 6
    for _ in range(3):
        down, across = dice.between(-radius // 3, radius // 3), dice.between(-radius // 3, radius // 3)
        tall, wide = radius * dice.between(70, 100) // 100, radius * dice.between(70, 100) // 100
        crown = Box(row + down - tall, column + across - wide, row + down + tall, column + across + wide)
        tone = dice.between(-20, 20)
        plan.add(
            PaintLayer.TREE, crown, Surface(leaves, cover, height=height, tone=tone), kind=ShapeKind.ELLIPSE
        )


def trees(plan: TownPlan, dice: Dice, box: Box, every: int, radii: tuple[int, int]) -> None:
    """Trees over a box, about one in each square of side `every`, both kinds in turn; radii in ticks."""
    kind = dice.below(2)
    for row in range(box.top, box.bottom - every // 2, every):
        for column in range(box.left, box.right - every // 2, every):
            if not dice.chance(85):
                continue
            radius = dice.between(*radii)
            down = min(row + dice.below(every), box.bottom - radius)
            across = min(column + dice.below(every), box.right - radius)
            tree(plan, dice, down, across, radius, kind)
            kind = 1 - kind


def house(plan: TownPlan, dice: Dice, lot: Box) -> None:
    """A house with a gable roof in the middle of its lot."""
    roof = dice.pick(["grey shingle", "grey shingle", "brown shingle", "brown shingle", "red tile"])
    body = lot.inset(lot.height * dice.between(14, 24) // 100, lot.width * dice.between(10, 20) // 100)
    axis = OrientedPlan(plan, down=dice.chance(50))
    box, tone, height = axis.own(body), dice.between(-20, 20), dice.between(450, 700)
    middle = box.width // 2
    cover = Cover.RESIDENTIAL
    axis.add(PaintLayer.BUILDING, box, Surface(roof, cover, height=height, tone=tone + 22))
    axis.add(
        PaintLayer.ROOF, box.columns(middle, box.width), Surface(roof, cover, height=height, tone=tone - 22)
    )
    axis.add(
        PaintLayer.ROOF,
        box.columns(middle - 2, middle + 2),
        Surface(roof, cover, height=height + 40, tone=tone + 40),
    )
