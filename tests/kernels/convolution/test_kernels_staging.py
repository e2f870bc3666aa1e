"""Samples staged between zeros, channels or bands innermost, against NumPy's padding."""

import numpy as np
import pytest
from mpmm_kernels.convolution.shared.bands import Bands, bands, stage_bands
from mpmm_kernels.convolution.shared.geometry import Staging, is_staged
from mpmm_kernels.convolution.shared.staging import beginning, stage, staged_row
from mpmm_kernels.vector import lanes, size

N = lanes("float32")
DTYPES = ["float32", "float64"]
# extents with zeros, channels, channels in whole vectors, zeros before, extents inside
SAMPLES = {
    "zeros on all sides": Staging(6, 7, 5, 3, 3, 1, 2, 1, 4, 4, 3),
    "zeros before and after the planes only": Staging(5, 3, 4, 2, 2, 1, 0, 0, 3, 3, 4),
    "zeros behind only": Staging(3, 4, 5, 1, 1, 0, 0, 0, 2, 3, 4),
    "channels filled up": Staging(2, 3, 3, 5, 2 * N, 0, 0, 0, 2, 3, 3),
    "more channels than a vector": Staging(3, 4, 4, N + 3, N + 3, 1, 1, 1, 2, 2, 2),
}


def padded(x, shape):
    """Each sample between zeros: (n, depth, rows, columns, padded channels)."""
    whole = np.zeros((len(x), *shape[:3], shape.padded), x.dtype)
    d, r, c = shape[5:8]
    planes, rows, columns = shape[8:]
    whole[:, d : d + planes, r : r + rows, c : c + columns, : shape.channels] = x
    return whole


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SAMPLES.values(), ids=SAMPLES)
def test_a_staged_sample_stands_between_zeros(shape, dtype):
    x = np.random.default_rng(1).standard_normal((3, *shape[8:], shape.channels)).astype(dtype)
    expected = padded(x, shape)
    staged = np.zeros(expected[0].size, dtype)
    assert is_staged(shape)
    # the next sample takes the same places: nothing of the one before stays
    for n in (2, 0):
        array, offset = stage(x.reshape(-1), n, staged, shape)
        assert (array.ctypes.data, offset) == (staged.ctypes.data, 0)
        np.testing.assert_array_equal(staged, expected[n].reshape(-1))


@pytest.mark.parametrize("sample", [0, 2])
def test_a_sample_without_zeros_is_read_where_it_is(sample):
    shape = Staging(2, 3, 4, 5, 5, 0, 0, 0, 2, 3, 4)
    x = np.arange(3 * 2 * 3 * 4 * 5, dtype="float32")
    array, offset = stage(x, sample, np.zeros(0, "float32"), shape)
    assert not is_staged(shape)
    assert (array.ctypes.data, offset) == (x.ctypes.data, sample * 2 * 3 * 4 * 5)


@pytest.mark.parametrize("shape", SAMPLES.values(), ids=SAMPLES)
def test_a_staged_row_begins_behind_its_zeros(shape):
    whole = np.arange(np.prod(shape[:3]) * shape.padded).reshape(*shape[:3], shape.padded)
    for d, r in np.ndindex(shape.inner_depth, shape.inner_rows):
        corner = d + shape.before_depth, r + shape.before_rows, shape.before_columns, 0
        assert staged_row.py_func(d, r, shape) == whole[corner]


def test_the_beginning_is_an_offset_as_any_other():
    assert beginning.py_func() == 0


# rows, columns and bands with zeros; zeros before; extents inside: shorter than a vector, and longer
BANDS = {
    "few columns": Bands(4, 5, N + 3, 1, 1, 1, N + 1, 2, 3),
    "few bands": Bands(3, N + 2, 5, 0, 0, 1, 3, 3, N + 1),
    "one square": Bands(2, N, N, 0, 0, 0, N, 2, N),
    "squares that overlap": Bands(3, 2 * N + 1, N + 7, 2, 1, 0, N + 5, 2, N + 3),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", BANDS.values(), ids=BANDS)
def test_bands_of_a_pixel_lie_side_by_side(shape, dtype):
    x = np.random.default_rng(2).standard_normal((2, *shape[6:])).astype(dtype)
    expected = np.zeros((2, shape.rows, shape.columns, shape.bands), dtype)
    d, r, c = shape[3:6]
    planes, rows, columns = shape[6:]
    expected[:, r : r + rows, c : c + columns, d : d + planes] = x.transpose(0, 2, 3, 1)
    staged = np.zeros(expected[0].size, dtype)
    for n in (1, 0):
        stage_bands(x.reshape(-1), n, staged, shape, size(lanes(dtype)))
        np.testing.assert_array_equal(staged, expected[n].reshape(-1))


def test_bands_keep_the_extents_of_a_staging():
    shape = SAMPLES["zeros on all sides"]
    assert bands(shape, 9) == Bands(7, 5, 9, 1, 2, 1, 4, 4, 3)
