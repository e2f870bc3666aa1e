"""Chance of the synthetic scene: pinned streams, and the tables compared with plain arithmetic."""

import numpy as np
import pytest

from mpmm.synthetic.chance import Dice, NoiseTable, SlowField, SlowLine, raw_bytes


def test_raw_bytes_are_pinned():
    assert raw_bytes((7, 3), 10).tolist() == [198, 213, 88, 186, 137, 204, 155, 249, 33, 98]


def test_fewer_bytes_are_the_start_of_more():
    np.testing.assert_array_equal(raw_bytes((1, 2), 13), raw_bytes((1, 2), 100)[:13])


def test_dice_are_pinned():
    dice = Dice(5, 1)
    assert [dice.between(1, 6) for _ in range(8)] == [2, 4, 3, 3, 1, 6, 6, 1]
    assert dice.shuffled(list("abcdef")) == list("afedbc")


def test_dice_reach_both_ends_and_nothing_beyond():
    dice = Dice(0)
    assert {dice.between(3, 6) for _ in range(200)} == {3, 4, 5, 6}
    assert all(dice.chance(100) for _ in range(50))
    assert not any(dice.chance(0) for _ in range(50))


def test_noise_has_the_promised_scale():
    for blur in (1, 2, 8, 36):
        values = NoiseTable((0, blur), 499, blur).values.astype(float)
        assert abs(values.mean()) < 2
        assert values.std() == pytest.approx(42, abs=2.5), blur


def test_noise_is_twice_a_periodic_box_average():
    period, blur = 23, 4
    white = raw_bytes((9,), period * period).reshape(period, period).astype(int) - 128
    twice = white
    for _ in range(2):
        once = np.zeros_like(twice)
        for row in range(period):
            for column in range(period):
                for down in range(blur):
                    for across in range(blur):
                        once[row, column] += twice[(row + down) % period, (column + across) % period]
        twice = once
    found = NoiseTable((9,), period, blur).values.astype(int)
    correlation = np.corrcoef(found.ravel(), twice.ravel())[0, 1]
    assert correlation > 0.999
    assert np.abs(found - 42 * (twice - twice.mean()) / twice.std())[np.abs(found) < 127].max() < 2.5


def test_noise_repeats_after_its_period_and_reads_any_window():
    table = NoiseTable((1,), 31, 3)
    rows, columns = np.arange(-5, 70), np.arange(10, 90)
    window = table.at(rows, columns)
    for row, column in ((0, 0), (20, 40), (74, 79)):
        assert window[row, column] == table.values[rows[row] % 31, columns[column] % 31]


def test_slow_line_is_smooth_and_bounded():
    line = SlowLine((3,), 1000, 100, 50).values
    assert np.abs(line).max() <= 50
    # the steepest a smoothstep between knots 100 apart may be: 1.5 x 100 / 100
    assert np.abs(np.diff(line)).max() <= 3
    assert np.ptp(line) > 20


def test_slow_field_is_bilinear_between_its_knots():
    field = SlowField((4,), 10, 128)
    knots = field.at(np.arange(0, 40, 10), np.arange(0, 40, 10))
    for row, column in ((0, 0), (13, 27), (9, 1), (29, 29)):
        i, j, y, x = row // 10, column // 10, row % 10 / 10, column % 10 / 10
        top = knots[i, j] * (1 - x) + knots[i, j + 1] * x
        bottom = knots[i + 1, j] * (1 - x) + knots[i + 1, j + 1] * x
        found = field.at(np.array([row]), np.array([column]))[0, 0]
        assert found == pytest.approx(top * (1 - y) + bottom * y, abs=1.01)
