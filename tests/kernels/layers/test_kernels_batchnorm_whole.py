"""A whole batch normalised in a kernel a pass: the bits of measuring and going on with that."""

import numpy as np
import pytest
from mpmm_kernels.arrays import zeros_aligned
from mpmm_kernels.groups import group_tree
from mpmm_kernels.layers import batchnorm, batchnorm_whole
from mpmm_kernels.runtime import available_threads, set_threads

EPSILON = 1e-5
SHAPES = [(1, 5, 3), (5, 7, 3), (40, 9, 16), (3, 2053, 24), (43, 130, 40)]


def drawn(shape, dtype):
    rng, arrays = np.random.default_rng(6), [zeros_aligned(shape, dtype) for _ in range(2)]
    for array in arrays:
        array[...] = rng.standard_normal(shape)
    return arrays, batchnorm.Affine(*(rng.random((2, shape[2])) + 0.5).astype(dtype))


def apart(shape, dtype, relu):
    """Outputs of the kernels that shards of a batch take, for all of it."""
    ((x, dy), affine), channels = drawn(shape, dtype), shape[2]
    sums, tree, y = np.empty((len(x), 2, channels)), group_tree(len(x)), np.empty_like(x)
    running = batchnorm.BatchStatistics(*np.empty((2, channels), dtype), 1.0)
    count = x.shape[0] * x.shape[1]
    (total,) = batchnorm.batchnorm_sums(x, sums, tree)
    by = batchnorm.normalised_by_batch(batchnorm.BatchTotal(total, count), EPSILON, affine, relu, running)
    batchnorm.normalise(x, by.norm, y)
    (total,) = batchnorm.batchnorm_backward_sums(x, dy, by, sums, tree)
    dx, gradients = np.empty_like(x), batchnorm.Affine(*np.empty((2, channels), dtype))
    batchnorm.batchnorm_backward(x, dy, by, batchnorm.BatchTotal(total, count), dx, gradients)
    return [y, *by, *running[:2], dx, *gradients]


def together(shape, dtype, relu):
    ((x, dy), affine), channels = drawn(shape, dtype), shape[2]
    buffers = batchnorm_whole.allocate(channels, x.dtype, EPSILON, relu)
    arrays = batchnorm_whole.BatchNormArrays(x, zeros_aligned(shape, dtype), np.empty((len(x), 2, channels)))
    running, tree = batchnorm.BatchStatistics(*np.empty((2, channels), dtype), 1.0), group_tree(len(x))
    for _ in range(2):
        batchnorm_whole.forward(arrays, buffers, tree, affine, running)
    y, gradients = arrays.y.copy(), batchnorm.Affine(*np.empty((2, channels), dtype))
    batchnorm_whole.backward(arrays, dy, buffers, tree, gradients)
    return [y, *buffers.by, *running[:2], arrays.y, *gradients]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_has_the_bits_of_kernels_that_shards_take(shape, dtype, relu):
    for made, expected in zip(together(shape, dtype, relu), apart(shape, dtype, relu), strict=True):
        assert made.tobytes() == expected.tobytes()


def test_neither_threads_nor_writing_past_the_caches_change_a_bit(monkeypatch):
    made = []
    for threads, past in ((1, False), (available_threads(), False), (available_threads(), True)):
        set_threads(threads)
        monkeypatch.setattr(batchnorm_whole, "goes_past", lambda written, read, soon, past=past: past)
        made.append([array.tobytes() for array in together((3, 2053, 24), "float32", True)])
    assert made[0] == made[1] == made[2]
