"""Each kernel against arithmetic, plain loops, and GDAL's warp on a hand-built grid."""

from math import floor

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from mpmm.scene.resampling import any_missing, combine, source_range, taps

STEPS = [10.0, 5.3375, 1.7, 1.0, 0.5, 0.37]
STARTS = [0.0, 3.0, 2.25, 4.618]


def resample(method, values, start, step, count):
    found = taps(method, start, step, 0, count, len(values))
    return combine(values, 0, found, 0), found.inside


def overlap_average(values, low, high):
    """Plain loop: each source pixel weighs what of it lies between low and high."""
    total = 0.0
    for k in range(len(values)):
        total += values[k] * max(0.0, min(high, k + 1) - max(low, k))
    return total / (high - low)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("start", STARTS)
def test_average_weighs_by_overlap(step, start):
    values = np.random.default_rng(0).normal(size=80)
    count = int((80 - start) / step)
    got, inside = resample("average", values, start, step, count)
    assert inside.all()
    expected = [overlap_average(values, start + i * step, start + (i + 1) * step) for i in range(count)]
    np.testing.assert_allclose(got, expected, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.floats(-30, 60), st.floats(0.05, 25), st.integers(1, 40))
def test_average_keeps_the_integral_at_any_step_and_shift(start, step, size):
    found = taps("average", start, step, 0, 12, size)
    np.testing.assert_allclose(found.weight[found.inside].sum(axis=1), 1, atol=1e-6)
    ends = start + step * np.arange(13)
    clearly = (ends[:-1] > 1e-5) & (ends[1:] < size - 1e-5)
    assert found.inside[clearly].all()
    assert not found.inside[(ends[:-1] < -1e-5) | (ends[1:] > size + 1e-5)].any()


def test_average_of_a_ramp_is_the_ramp_at_the_centres_of_whole_blocks():
    ramp = np.arange(60.0) + 0.5
    got, _ = resample("average", ramp, 0.0, 10.0, 6)
    np.testing.assert_allclose(got, [5, 15, 25, 35, 45, 55], rtol=1e-14)


@pytest.mark.parametrize("step", [1.0, 0.5, 0.37])
@pytest.mark.parametrize("start", STARTS)
def test_bilinear_reproduces_a_ramp(step, start):
    ramp = 3.0 * (np.arange(80) + 0.5) - 7.0
    count = int((80 - start) / step)
    got, inside = resample("bilinear", ramp, start, step, count)
    centres = start + (np.arange(count) + 0.5) * step
    interior = (centres >= 0.5) & (centres <= 79.5)
    assert inside.all()
    np.testing.assert_allclose(got[interior], 3 * centres[interior] - 7, atol=1e-9)


@pytest.mark.parametrize("step", [1.0, 0.5, 0.37])
@pytest.mark.parametrize("start", STARTS)
def test_cubic_reproduces_a_parabola(step, start):
    """Keys' kernel with a = -1/2 is exact up to degree two."""
    positions = np.arange(40) + 0.5
    parabola = 0.3 * positions**2 - 2 * positions + 1
    count = int((40 - start) / step)
    got, _ = resample("cubic", parabola, start, step, count)
    centres = start + (np.arange(count) + 0.5) * step
    interior = (centres > 2) & (centres < 38)
    expected = 0.3 * centres**2 - 2 * centres + 1
    np.testing.assert_allclose(got[interior], expected[interior], atol=1e-9)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("start", [*STARTS, -3.3])
def test_nearest_takes_the_pixel_under_the_centre(step, start):
    values = np.random.default_rng(1).normal(size=50)
    got, inside = resample("nearest", values, start, step, 12)
    for i in range(12):
        under = floor(start + (i + 0.5) * step)
        assert inside[i] == (0 <= under < 50)
        if inside[i]:
            assert got[i] == values[under]


def test_border_pixels_of_bilinear_keep_their_value_outwards():
    """A pixel twice as large as the grid's: its outer half has no neighbour to mix with."""
    got, inside = resample("bilinear", np.array([4.0, 8.0]), -1.0, 0.5, 8)
    np.testing.assert_array_equal(inside, [False, False, True, True, True, True, False, False])
    np.testing.assert_allclose(got[2:6], [4, 5, 7, 8])


def test_positions_a_rounding_error_off_a_pixel_edge_draw_on_one_pixel():
    """UTM northings divided by 5 cm are about 1e8: their rounding must not reach into a missing neighbour."""
    found = taps("bilinear", 3.0 + 4e-7, 1.0, 0, 5, 20)
    assert (np.count_nonzero(found.weight, axis=1) == 1).all()
    found = taps("average", 30.0 - 4e-7, 10.0, 0, 5, 200)
    assert (np.count_nonzero(found.weight, axis=1) == 10).all()


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic", "nearest"])
def test_a_missing_pixel_reaches_exactly_those_that_draw_on_it(method):
    size = 24
    for step, start in [(2.5, 0.0), (0.4, 3.3)]:
        found = taps(method, start, step, 0, 8, size)
        for gap in range(size):
            missing = np.arange(size) == gap
            lost = any_missing(missing, 0, found, 0)
            impulse = combine(missing.astype(float), 0, found, 0)
            np.testing.assert_array_equal(lost, impulse != 0)


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic", "nearest"])
def test_windows_give_the_same_bits_as_the_whole(method):
    values = np.random.default_rng(2).normal(size=200)
    whole, _ = resample(method, values, 1.3, 2.7, 70)
    for first, count in [(0, 7), (7, 30), (37, 33)]:
        found = taps(method, 1.3, 2.7, first, count, 200)
        begin, length = source_range(found)
        part = combine(values[begin : begin + length], 0, found, begin)
        np.testing.assert_array_equal(part, whole[first : first + count])


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic", "nearest"])
@pytest.mark.parametrize(("step", "start"), [(10, 0), (5.3375, 1.3), (2, 0.5), (0.5, 0.25), (0.37, 0.1)])
def test_agrees_with_gdal(method, step, start):
    size, count = 60, max(4, min(int((60 - start) / step), 40))
    values = np.random.default_rng(3).normal(size=(size, size))
    rows = taps(method, start, step, 0, count, size)
    got = combine(combine(values, 0, rows, 0), 1, rows, 0)
    expected = np.zeros((count, count))
    crs, west, north = CRS.from_epsg(26915), 272056.0, 3290290.0
    reproject(
        values,
        expected,
        src_transform=Affine(1, 0, west, 0, -1, north),
        src_crs=crs,
        dst_transform=Affine(step, 0, west + start, 0, -step, north - start),
        dst_crs=crs,
        resampling=Resampling[method],
        tolerance=0.0,
    )
    inside = np.outer(rows.inside, rows.inside)
    centres = start + (np.arange(count) + 0.5) * step
    reach = 2 * max(1.0, step)
    if method == "cubic":
        # at the border GDAL falls back to bilinear
        near = (centres >= reach) & (centres <= size - reach)
        inside &= np.outer(near, near)
    assert inside.any()
    np.testing.assert_allclose(got[inside], expected[inside], atol=2e-6)
