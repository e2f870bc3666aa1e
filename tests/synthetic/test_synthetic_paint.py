"""Painting the synthetic town, compared with plain loops over pixels."""

from dataclasses import replace

import numpy as np
import pytest

from mpmm.synthetic.city import EXTENTS, Extent, plan_city
from mpmm.synthetic.paint import RIM, Painter
from mpmm.synthetic.plan import METRE, Box, Cover, PaintLayer, ShapeKind, Surface, TownPlan

EXTENT = Extent(4, 8, (2 * METRE, 3 * METRE), (7, 3 * METRE))
STRAIGHT = replace(EXTENT, bend=(0, METRE))


def some_plan():
    plan = TownPlan()
    plan.add(
        PaintLayer.TREE,
        Box(30, 40, 71, 95),
        Surface("evergreen leaves", Cover.EVERGREEN_TREES),
        kind=ShapeKind.ELLIPSE,
    )
    plan.add(PaintLayer.GROUND, Box(-50, -50, 500, 700), Surface("bare earth", Cover.BARE_EARTH))
    plan.add(PaintLayer.ROAD, Box(60, 0, 100, 280), Surface("asphalt", Cover.ROADS))
    plan.add(
        PaintLayer.ROAD_MARK,
        Box(78, -7, 82, 280),
        Surface("white line", Cover.ROADS),
        kind=ShapeKind.BARS_ACROSS,
        bars=(30, 9),
    )
    plan.add(
        PaintLayer.DETAIL,
        Box(3, 120, 58, 170),
        Surface("gravel", tone=-20),
        kind=ShapeKind.BARS_DOWN,
        bars=(11, 4),
    )
    plan.add(
        PaintLayer.BUILDING, Box(90, 150, 120, 200), Surface("grey shingle", Cover.RESIDENTIAL, height=640)
    )
    return plan.surfaces()


def covers(surfaces, number, row, column):
    """Whether a shape covers a point: the definition, pixel by pixel."""
    top, left, bottom, right = surfaces.boxes[number]
    if not (top <= row < bottom and left <= column < right):
        return False
    kind, period, bar = (int(one[number]) for one in (surfaces.kind, surfaces.period, surfaces.bar))
    if kind == ShapeKind.ELLIPSE:
        y, x = (
            (row + 0.5 - (top + bottom) / 2) / (bottom - top),
            (column + 0.5 - (left + right) / 2) / (right - left),
        )
        return x * x + y * y <= 0.25
    if kind == ShapeKind.BARS_DOWN:
        return (row - top) % period < bar
    if kind == ShapeKind.BARS_ACROSS:
        return (column - left) % period < bar
    return True


def topmost(surfaces, row, column):
    return max(number for number in range(len(surfaces.kind)) if covers(surfaces, number, row, column))


@pytest.mark.parametrize(("extent", "seed"), [(STRAIGHT, 0), (EXTENT, 1), (EXTENT, 2)])
def test_every_point_shows_the_last_shape_that_covers_it(extent, seed):
    surfaces = some_plan()
    painter = Painter(surfaces, extent, seed)
    window = Box(10, 20, 130, 250)
    painting = painter.paint(window)
    for row in range(window.top, window.bottom, 3):
        for column in range(window.left, window.right, 3):
            # a point shows the straight town at (row + bend(column), column + bend(row))
            down, across = painter._down[column + RIM], painter._across[row + RIM]
            found = painting.surface[row - window.top, column - window.left]
            assert found == topmost(surfaces, row + down, column + across), (row, column)


def test_bends_bend():
    painter = Painter(some_plan(), EXTENT, 1)
    assert 3 <= np.abs(painter._down).max() <= 7
    assert 3 <= np.abs(painter._across).max() <= 7


def test_windows_agree_with_the_whole_and_steps_with_every_tick():
    extent = EXTENTS["tiny"]
    painter = Painter(plan_city(extent, 0), extent, 0)
    window = extent.labelled.rows(100, 500).columns(300, 900)
    whole = painter.paint(window)
    part = painter.paint(window.rows(120, 300).columns(40, 440))
    np.testing.assert_array_equal(part.surface, whole.surface[120:300, 40:440])
    np.testing.assert_array_equal(part.shade, whole.shade[120:300, 40:440])
    steps = painter.paint(window, 5)
    np.testing.assert_array_equal(steps.surface, whole.surface[2::5, 2::5])
    np.testing.assert_array_equal(steps.shade, whole.shade[2::5, 2::5])


def test_a_shadow_falls_north_west_and_never_on_the_roof_itself():
    surfaces = some_plan()
    painting = Painter(surfaces, STRAIGHT, 0).paint(Box(0, 0, 160, 280))
    house = len(surfaces.kind) - 2
    assert surfaces.height[house] == 640
    rows, columns = np.nonzero(painting.shade)
    # 6.4 m throw 640 x 7 / 64 = 70 ticks north and 50 west
    assert (rows.min(), columns.min()) == (90 - 70, 150 - 50)
    # it is made of seven copies, the first moved by 10 and 8 ticks
    assert (rows.max(), columns.max()) == (119 - 10, 199 - 8)
    assert not painting.shade[painting.surface == house].any()
    assert painting.shade[85, 149] == 1


def test_the_town_has_no_hole():
    for seed in range(3):
        extent = EXTENTS["tiny"]
        surfaces = plan_city(extent, seed)
        # every point lies on a block or on a street: nothing shows the first shape by default
        painting = Painter(surfaces, extent, seed).paint(extent.whole.inset(-RIM), 5)
        top, left, bottom, right = surfaces.boxes[0]
        box = extent.whole
        if bottom <= box.top or top >= box.bottom or right <= box.left or left >= box.right:
            assert not (painting.surface == 0).any()
        else:
            assert (painting.surface == 0).sum() * 25 <= 1.3 * (bottom - top) * (right - left)


def test_later_layers_cover_earlier_ones_whatever_the_order_of_adding():
    plan = TownPlan()
    plan.add(PaintLayer.TREE, Box(0, 0, 9, 9), Surface("evergreen leaves", Cover.EVERGREEN_TREES))
    plan.add(PaintLayer.GROUND, Box(0, 0, 9, 9), Surface("water", Cover.WATER))
    plan.add(PaintLayer.TREE, Box(5, 5, 5, 9), Surface("water", Cover.WATER))
    surfaces = plan.surfaces()
    assert surfaces.cover.tolist() == [Cover.WATER, Cover.EVERGREEN_TREES], "an empty box is no shape"
