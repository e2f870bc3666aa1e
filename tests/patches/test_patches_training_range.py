"""The range of values in training patches, and what of another scene is unlike it."""

import numpy as np
import pytest

from mpmm.patches import Samples, far_outside, training_range


class Plain:
    """Values of a modality without a file."""

    name, normalization = "x", "standard"

    def __init__(self, values):
        self.pieces = ((0, values),)


def test_the_range_is_that_of_the_pixels_in_patches():
    values = np.arange(200, dtype=np.float32).reshape(10, 10, 2)
    samples = Samples.of([4, 5], [4, 4], [0, 0])
    low, high = training_range(Plain(values), samples, 3)
    inside = values[3:7, 3:6].reshape(-1, 2)
    assert low == tuple(inside.min(axis=0))
    assert high == tuple(inside.max(axis=0))


def test_shares_of_values_far_outside():
    values = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (10, 1))[:, :, None].repeat(2, axis=2)
    present = np.ones((10, 100), bool)
    assert far_outside(values, present, (0, 0), (1, 1)) is None
    # by less than half the range's width
    assert far_outside(values * 1.4, present, (0, 0), (1, 1)) is None
    values[:, :5, 1] = 9
    outside = far_outside(values, present, (0, 0), (1, 1))
    assert (outside.share, outside.band, outside.trained, outside.here) == (
        0.025,
        1,
        (0, 1),
        (np.float32(5 / 99), 9),
    )
    present[:, :5] = False
    assert far_outside(values, present, (0, 0), (1, 1)) is None
    assert far_outside(values, present & False, (0, 0), (1, 1)) is None


def test_values_that_hardly_vary_beside_the_trainings():
    """Fractions for a network that was trained on thousands: within the range's reach, and all alike."""
    chance = np.random.default_rng(0)
    values = chance.uniform(0, 1, (20, 20, 3)).astype(np.float32)
    outside = far_outside(values, np.ones((20, 20), bool), (100, 100, 0), (3000, 2000, 1))
    assert outside.share == 0
    assert outside.flat == 2 / 3
    assert outside.trained == (100, 3000)


@pytest.mark.parametrize("bands", [1, 3, 48, 2000])
def test_the_range_is_that_of_the_patches_pixels_however_many_are_compared_at_once(bands):
    values = np.random.default_rng(bands).normal(size=(40, 30, bands)).astype(np.float32)
    samples = Samples.of([5, 20, 34], [4, 15, 25], [0, 0, 0])
    low, high = training_range(Plain(values), samples, 9)
    patches = np.concatenate(
        [
            values[row - 4 : row + 5, column - 4 : column + 5].reshape(-1, bands)
            for row, column in zip(samples.rows, samples.columns, strict=True)
        ]
    )
    np.testing.assert_array_equal([low, high], [patches.min(axis=0), patches.max(axis=0)])
