"""Sums over the pixels that count, chunk by chunk, and the chunks themselves."""

import numpy as np
import pytest

from mpmm.patches import band_sums


@pytest.mark.parametrize("bands", [1, 2, 3, 8, 17])
@pytest.mark.parametrize("rows", [1, 4, 31])
def test_sums_are_those_of_the_chunks_pixel_behind_pixel(bands, rows):
    rng = np.random.default_rng(bands)
    values = (1e4 * rng.standard_normal((31, 13, bands))).astype(np.float32)
    times = rng.integers(0, 4, values.shape[:2]).astype(np.int32)
    # a row that counts whole, as most of a scene's do, and one that does not count
    times[3], times[4] = 2, 0
    mean = rng.standard_normal(bands)
    chunks = [*band_sums.chunks_of([(values, times)], rows * 13 * bands)]
    assert len(chunks) == {1: 30, 4: 8, 31: 1}[rows]
    expected = []
    for pixels, weight in (band_sums.inside(*chunk) for chunk in chunks):
        terms = np.square(pixels - mean) * weight[:, None]
        # running sums add one by one, where a sum of a single band would be made in pairs
        expected.append(np.cumsum(terms, axis=0)[-1])
    total = band_sums.sum_of_bands(iter(chunks), mean, squared=True)
    assert total.tobytes() == np.add.reduce(expected).tobytes()


def test_chunks_without_pixels_that_count_are_left_out():
    values, times = np.ones((6, 2, 3), np.float32), np.zeros((6, 2), np.int32)
    times[4, 1] = 5
    ((chunk, counts),) = band_sums.chunks_of([(values, times)], 12)
    assert chunk.shape == (2, 2, 3)
    assert counts.tolist() == [[0, 5], [0, 0]]
