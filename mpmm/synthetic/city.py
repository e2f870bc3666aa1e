"""A synthetic town: how large it is, where its streets run, and what stands between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpmm.synthetic.blocks import EVERY_USE, USUAL, draw_block
from mpmm.synthetic.chance import Dice
from mpmm.synthetic.plan import METRE, Box, Surfaces, TownPlan
from mpmm.synthetic.streets import Street, Strip, draw_crossing, draw_street, lay_strips

SizeName = Literal["tiny", "small", "houston"]

# what a key of chance is for
STREETS, USES, BLOCK, UPRIGHT, LEVEL, CROSSING = range(1, 7)
# shapes reach this far over the edge, so that the warp never looks into nothing
_MARGIN = 25 * METRE


@dataclass(frozen=True)
class Extent:
    """Ground extent of a scene; everything else follows as in DFC2018.

    The labels and the RGB cover `height` x `width` metres. The HSI covers twice the height and 1.75 times the
    width; the labels start in its row `height`, column `width` / 4.

    Attributes
    ----------
    height, width
        Of the labelled part in metres; the width is a multiple of 4 (four RGB tiles).
    blocks
        Least and largest side of a city block in ticks.
    bend
        Largest deviation of a straight street in ticks, and the distance of its knots.
    """

    height: int
    width: int
    blocks: tuple[int, int]
    bend: tuple[int, int]

    @property
    def whole(self) -> Box:
        """The HSI's extent in ticks."""
        return Box(0, 0, 2 * self.height * METRE, self.width * 7 // 4 * METRE)

    @property
    def labelled(self) -> Box:
        """The labels' and the RGB's extent in ticks."""
        top, left = self.height * METRE, self.width // 4 * METRE
        return Box(top, left, top + self.height * METRE, left + self.width * METRE)


EXTENTS: dict[SizeName, Extent] = {
    "tiny": Extent(70, 120, (12 * METRE, 13 * METRE), (25, 25 * METRE)),
    "small": Extent(150, 500, (22 * METRE, 36 * METRE), (60, 50 * METRE)),
    "houston": Extent(601, 2384, (50 * METRE, 90 * METRE), (140, 110 * METRE)),
}

# streets that run down the rows, and across the columns
_UPRIGHT = (Street.ROAD, Street.HIGHWAY, Street.ROAD, Street.RAIL, Street.ROAD, Street.THOROUGHFARE)
_LEVEL = (Street.THOROUGHFARE, Street.ROAD, Street.ROAD)


def plan_city(extent: Extent, seed: int) -> Surfaces:
    """All shapes of the town of this extent and seed, in painting order."""
    plan, whole, labelled = TownPlan(), extent.whole, extent.labelled
    inner = 7 * METRE
    down = (-_MARGIN, whole.bottom + _MARGIN)
    across = (-_MARGIN, whole.right + _MARGIN)
    dice = Dice(seed, STREETS)
    upright = lay_strips(dice, *across, labelled.left + inner, extent.blocks, _UPRIGHT)
    level = lay_strips(dice, *down, labelled.top + inner, extent.blocks, _LEVEL)
    for number, strip in enumerate(_streets(upright)):
        draw_street(plan, Dice(seed, UPRIGHT, number), strip, down, down=True)
    for number, strip in enumerate(_streets(level)):
        draw_street(plan, Dice(seed, LEVEL, number), strip, across, down=False)
    dice = Dice(seed, CROSSING)
    for strip in _streets(upright):
        for other in _streets(level):
            draw_crossing(plan, dice, strip, other)
    _fill_blocks(plan, seed, _blocks(upright, level), labelled.inset(inner))
    return plan.surfaces()


def _streets(strips: list[Strip]) -> list[Strip]:
    return [strip for strip in strips if strip.street is not Street.BLOCK]


def _blocks(upright: list[Strip], level: list[Strip]) -> list[Box]:
    """The land between the streets."""
    lands = [[strip for strip in strips if strip.street is Street.BLOCK] for strips in (level, upright)]
    return [Box(row.start, column.start, row.end, column.end) for row in lands[0] for column in lands[1]]


def _fill_blocks(plan: TownPlan, seed: int, blocks: list[Box], inner: Box) -> None:
    """Deal the uses: inside `inner` every use comes at least once, in larger towns up to three times.

    The rest is as usual in a town.
    """
    dice = Dice(seed, USES)
    inside = [number for number, block in enumerate(blocks) if _contains(inner, block)]
    must = (EVERY_USE * min(3, max(1, len(inside) // 24)))[: len(inside)]
    deck = dice.shuffled([*must, *(dice.pick(USUAL) for _ in range(len(inside) - len(must)))])
    uses = dict(zip(inside, deck, strict=True))
    for number, block in enumerate(blocks):
        use = uses[number] if number in uses else dice.pick(USUAL)
        draw_block(plan, Dice(seed, BLOCK, number), block, use)


def _contains(outer: Box, box: Box) -> bool:
    return (
        outer.top <= box.top
        and outer.left <= box.left
        and box.bottom <= outer.bottom
        and box.right <= outer.right
    )
