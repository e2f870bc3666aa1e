"""Dropout masks: the published generator, unit by unit, whatever holds the samples."""

import numpy as np
import pytest
from mpmm_kernels.layers.dropout import dropout, dropout_backward, dropout_key
from naive import dropout as naive
from naive.gradients import central_differences, relative_error

KEY = dropout_key(3, "hsi.head.dropout", 12)


def dropped(x, first_sample=0, rate=0.4, key=KEY):
    y = np.full_like(x, np.nan)
    dropout(x, y, key, first_sample, rate)
    return y


def test_oracle_is_the_published_generator():
    """First numbers of SplitMix64 from state 1234567, as the reference implementation prints them."""
    assert naive.splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_equals_plain_python(rate, dtype):
    x = np.random.default_rng(0).standard_normal((3, 11)).astype(dtype)
    y = dropped(x, first_sample=5, rate=rate)
    for n, unit in np.ndindex(*x.shape):
        kept = naive.stays(int(KEY), 5 + n, unit, rate)
        assert y[n, unit] == pytest.approx(x[n, unit] / (1 - rate) if kept else 0, rel=1e-6)


def test_shards_drop_what_the_whole_batch_drops():
    x = np.random.default_rng(1).standard_normal((10, 4, 5))
    whole = dropped(x)
    np.testing.assert_array_equal(dropped(x[:3]), whole[:3])
    np.testing.assert_array_equal(dropped(x[3:], first_sample=3), whole[3:])


def test_backward_is_the_gradient():
    rng = np.random.default_rng(2)
    x, dy = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))
    dx = np.full_like(x, np.nan)
    dropout_backward(dy, dx, KEY, 0, 0.4)
    expected = central_differences(lambda: (dropped(x) * dy).sum(), x)
    assert relative_error(dx, expected) < 1e-6


def test_works_in_place():
    x = np.random.default_rng(4).standard_normal((4, 6))
    expected = dropped(x)
    dropout(x, x, KEY, 0, 0.4)
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("other", [dropout_key(4, "a", 1), dropout_key(3, "b", 1), dropout_key(3, "a", 2)])
def test_masks_of_other_seeds_layers_and_steps_are_unrelated(other):
    """Two masks at rate 1/2 agree on half of 100,000 units; 5 standard deviations are 0.8%."""
    ones = np.ones((100, 1000), np.float32)
    ours = dropped(ones, rate=0.5, key=dropout_key(3, "a", 1)) > 0
    theirs = dropped(ones, rate=0.5, key=other) > 0
    assert abs((ours == theirs).mean() - 0.5) < 0.008


def test_the_share_dropped_is_the_rate_for_samples_and_units_alike():
    """Neither neighbouring samples nor neighbouring units share their luck: 5 standard deviations each."""
    gone = dropped(np.ones((1000, 1000), np.float32), rate=0.3) == 0
    assert abs(gone.mean() - 0.3) < 5 * np.sqrt(0.21 / 1e6)
    assert np.abs(gone.mean(0) - 0.3).max() < 5 * np.sqrt(0.21 / 1e3)
    assert np.abs(gone.mean(1) - 0.3).max() < 5 * np.sqrt(0.21 / 1e3)
    for pair in (gone[:-1] & gone[1:], gone[:, :-1] & gone[:, 1:]):
        assert abs(pair.mean() - 0.09) < 0.002
