"""Sums of pixels that count, against plain loops, to the bit."""

import numpy as np
import pytest
from mpmm_kernels.arrays import read_only
from mpmm_kernels.patches import add_pixels


@pytest.mark.parametrize("bands", [1, 3, 8, 17])
@pytest.mark.parametrize("squared", [False, True])
def test_sums_are_those_of_plain_loops(bands, squared):
    chance = np.random.default_rng(bands)
    values = (1e4 * chance.normal(size=(5, 7, bands))).astype(np.float32)
    times = chance.integers(0, 4, (5, 7)).astype(np.int32)
    # what does not count may be anything
    values[2, 3], times[2, 3] = np.nan, 0
    mean, sums = chance.normal(size=bands), chance.normal(size=bands)
    expected = sums.copy()
    for i, j in np.argwhere(times):
        apart = values[i, j].astype(np.float64) - mean
        expected += (apart * apart if squared else apart) * float(times[i, j])
    add_pixels(read_only(values), times, mean, squared, sums)
    assert sums.tobytes() == expected.tobytes()
