"""Passes over whole arrays: written into the caches or past them the bits are the same."""

import numpy as np
import pytest
from mpmm_kernels.arrays import CACHE_LINE, zeros_aligned
from mpmm_kernels.groups import group_tree
from mpmm_kernels.layers import adam, batchnorm, dense, joining
from mpmm_kernels.vector import streaming

# two pieces and a bit, of which no vector's width is a divisor
SHAPES = [(3, 151, 24), (2, 411, 11), (5, 2053, 1)]


def arrays(shape, dtype, count):
    chance = np.random.default_rng(count)
    for _ in range(count):
        array = zeros_aligned(shape, dtype)
        array[...] = chance.standard_normal(shape)
        yield array


def normalised(x, dy, y):
    sums, tree = np.empty((len(x), 2, x.shape[2])), group_tree(len(x))
    (total,) = batchnorm.batchnorm_sums(x, sums, tree)
    count, affine = x.shape[0] * x.shape[1], batchnorm.Affine(*np.ones((2, x.shape[2]), x.dtype))
    running = batchnorm.BatchStatistics(*np.ones((2, x.shape[2]), x.dtype), 1.0)
    by = batchnorm.normalised_by_batch(batchnorm.BatchTotal(total, count), 1e-5, affine, True, running)
    batchnorm.normalise(x, by.norm, y)
    yield y.copy()
    (total,) = batchnorm.batchnorm_backward_sums(x, dy, by, sums, tree)
    batchnorm.batchnorm_backward(x, dy, by, batchnorm.BatchTotal(total, count), y, affine)
    yield y


def joined(x, dy, y):
    joining.add([x, dy, x, dy], y, relu=True)
    yield y.copy()
    joining.give(dy, None, y)
    assert y.tobytes() == dy.tobytes()
    yield y.copy()
    joining.give(dy, x, y)
    yield y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("passes", [normalised, joined])
def test_written_past_the_caches_the_bits_are_the_same(passes, shape, dtype, monkeypatch):
    (x, dy), made = arrays(shape, dtype, 2), []
    for past in (False, True):
        for module in (batchnorm, joining):
            monkeypatch.setattr(module, "goes_past", lambda written, read, soon, past=past: past)
        y = zeros_aligned(shape, dtype)
        y[...] = np.nan
        made.append([result.tobytes() for result in passes(x, dy, y)])
    assert made[0] == made[1]
    assert not np.isnan(y).any()


@pytest.mark.parametrize(
    ("inputs", "samples", "units"), [(67, 5, 64), (67, 5, 48), (67, 5, 35), (4099, 3, 16), (4099, 3, 9)]
)
def test_weights_gradients_of_dense_layers_too(inputs, samples, units, monkeypatch):
    """Rows of blocks and single ones, of two vectors and of one; of shards whose tree leaves several sums.

    Units that are no whole vectors, whose rows begin anywhere, cannot be written so.
    """
    made = []
    (x,), (dz,) = arrays((samples, inputs), "float32", 1), arrays((samples, units), "float32", 1)
    tree = group_tree(samples, 16, 1)
    for past in (False, True):
        monkeypatch.setattr(dense, "goes_past", lambda written, read, soon, past=past: past)
        dw = zeros_aligned((len(tree.nodes), inputs, units), "float32")
        db = np.empty((len(tree.nodes), units), "float32")
        dense.dense_backward_weights(x, dz, dw, db, tree)
        made.append(dw.tobytes())
    assert made[0] == made[1]
    np.testing.assert_allclose(dw.sum(axis=0), x.T @ dz, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updates_too(dtype, monkeypatch):
    """Three parts, of which the last ends within a vector."""
    made, state = [], list(arrays((2 * adam.PART + 4099,), dtype, 4))
    state[2][...] = np.abs(state[2])
    options = adam.AdamOptions(1e-3, 0.9, 0.999, 1e-8, 1e-2)
    for past in (False, True):
        monkeypatch.setattr(adam, "goes_past", lambda written, read, soon, past=past: past)
        into = tuple(zeros_aligned(state[0].shape, dtype) for _ in range(3))
        adam.adam_step(adam.AdamState(*state[:3]), state[3], options, 3, into)
        made.append([array.tobytes() for array in into])
    adam.adam_step(adam.AdamState(*state[:3]), state[3], options, 3)
    made.append([array.tobytes() for array in state[:3]])
    assert made[0] == made[1] == made[2]


def test_only_large_arrays_that_begin_on_a_line_are_written_past_the_caches(monkeypatch):
    monkeypatch.setattr(streaming, "STREAMS", True)
    large, small = zeros_aligned((1 << 20,), "float32"), zeros_aligned((1 << 18,), "float32")
    shifted = zeros_aligned((CACHE_LINE + (4 << 20),), "uint8")[4:][: 4 << 20].view("float32")

    def past(*written, read=(), soon=False):
        return streaming.goes_past(written, read, soon=soon)

    monkeypatch.setattr(streaming, "computing_threads", lambda: 1)
    assert past(large)
    assert not past(small, read=[small, small])
    assert past(small, read=[small, small, small])
    assert not past(large, shifted)
    assert past(large, read=[shifted])
    monkeypatch.setattr(streaming, "held_bytes", lambda: 100 << 20)
    assert past(large, soon=True)
    monkeypatch.setattr(streaming, "held_bytes", lambda: 50 << 20)
    assert not past(large, soon=True)
    monkeypatch.setattr(streaming, "computing_threads", lambda: 2)
    assert not past(large)
    assert past(large, read=[large])
    monkeypatch.setattr(streaming, "STREAMS", False)
    monkeypatch.setattr(streaming, "computing_threads", lambda: 1)
    assert not past(large, read=[large])
