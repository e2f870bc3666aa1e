"""Sums over pixels are to the bit those of whole chunks, in whatever pieces they are made."""

import numpy as np
import pytest

from mpmm.patches import band_sums


@pytest.mark.parametrize("bands", [1, 2, 3, 8, 17])
@pytest.mark.parametrize("piece", [1, 100, 2**15])
def test_pieces_change_no_bit(monkeypatch, bands, piece):
    monkeypatch.setattr(band_sums, "PIECE", piece)
    rng = np.random.default_rng(bands)
    values = (1e4 * rng.standard_normal((31, 13, bands))).astype(np.float32)
    times = rng.integers(0, 4, values.shape[:2]).astype(np.int32)
    # a row that counts whole, as most of a scene's do, and one that does not count
    times[3], times[4] = 2, 0
    weight = times[times > 0].astype(np.float64)
    pixels = values[times > 0].astype(np.float64)
    chunks = band_sums.chunks_of([(values, times)], values.size)
    total = band_sums.sum_of_bands(chunks, lambda given, terms: np.square(given, out=terms, dtype=np.float64))
    np.testing.assert_array_equal(total, (weight[:, None] * pixels**2).sum(axis=0))


def test_chunks_without_pixels_that_count_are_left_out():
    values, times = np.ones((6, 2, 3), np.float32), np.zeros((6, 2), np.int32)
    times[4, 1] = 5
    ((chunk, counts),) = band_sums.chunks_of([(values, times)], 12)
    assert chunk.shape == (2, 2, 3)
    assert counts.tolist() == [[0, 5], [0, 0]]
