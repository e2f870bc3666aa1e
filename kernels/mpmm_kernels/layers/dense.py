"""Dense layers, y = x w + b: the same bits at any number of compute threads, for a sample in any batch.

Products are made by the convolutions' micro-kernel, on all threads, two vectors of columns at a time.
Features or units that are no whole pairs of vectors, mostly the few classes of a last layer, are filled up
with zeros: so one kernel serves all layers, but for those of many inputs and a vector of units, which would
take twice as long.
"""

import numpy as np

from mpmm_kernels.arrays import Floats, flat, sum_groups
from mpmm_kernels.groups import GroupTree, group_tree
from mpmm_kernels.layers.activation import relu_backward, sigmoid, sigmoid_backward
from mpmm_kernels.layers.dense_kernels import (
    DenseProduct,
    multiply,
    multiply_groups,
)
from mpmm_kernels.layers.dense_transposed import multiply_transposed
from mpmm_kernels.runtime import CallsByType, computing_threads, threads_for
from mpmm_kernels.vector import REGISTERS, Size, goes_past, lanes, size
from mpmm_kernels.vocabulary import Activation

# Rows and vectors a row of a block of sums: it fits the registers, batches are often multiples of its rows
_HEIGHT, _WIDTH = 8 if REGISTERS == 32 else 4, 2
# Products that take as long as going through an element of an array
_PRODUCTS = 8
_SIZES = size(_HEIGHT * _WIDTH), size(_WIDTH)
# Of products with one vector of columns, and the inputs from which they are worth kernels of their own
_NARROW, _MANY = (size(_HEIGHT), size(1)), 4096
_plain, _by_groups, _transposed = (
    CallsByType(kernel) for kernel in (multiply, multiply_groups, multiply_transposed)
)


def dense_forward(x: Floats, w: Floats, b: Floats, y: Floats, activation: Activation = "none") -> None:
    """Fill y (n, units) = activation(x w + b) for x (n, inputs), w (inputs, units), b (units,)."""
    _product(x, w, y, b, 0.0 if activation == "relu" else -np.inf)
    if activation == "sigmoid":
        sigmoid(y, y)


def dense_backward_activation(y: Floats, dy: Floats, dz: Floats, activation: Activation) -> None:
    """Fill dz, the gradient of x w + b, from that of y; ``dy`` and ``dz`` may be the same array."""
    if activation == "relu":
        relu_backward(y, dy, dz)
    elif activation == "sigmoid":
        sigmoid_backward(y, dy, dz)
    else:
        np.copyto(dz, dy)


def dense_backward_input(dz: Floats, w: Floats, dx: Floats) -> None:
    """Fill dx = dz w^T."""
    if w.shape[0] % _columns(w, _SIZES):
        dense_product(dz, np.ascontiguousarray(w.T), dx)
        return
    shape, square = DenseProduct(len(dz), len(w), len(w), w.shape[1], w.shape[1], 1), size(lanes(w.dtype))
    run = _transposed.of(w.dtype)
    run(flat(dz), flat(w), flat(dx), shape, *_SIZES, square, computing_threads())


def dense_backward_weights(
    x: Floats, dz: Floats, dw: Floats, db: Floats, tree: GroupTree | None = None
) -> None:
    """Fill dw = x^T dz, and db, dz summed over the samples, both group by group.

    Parameters
    ----------
    tree
        Of a shard's samples: ``dw`` and ``db`` then have one more axis before theirs, the tree's nodes. By
        default the samples are the whole batch.
    """
    if tree is None:
        dw, db, tree = dw[None], db[None], group_tree(len(x))
    inputs, sizes = dw.shape[1], _sizes(dw.shape[1], dw)
    wide, sums = _filled_up(dz, sizes), dw if dw.flags.c_contiguous else np.empty(dw.shape, dw.dtype)
    shape = DenseProduct(inputs, wide.shape[1], dw.shape[2], len(x), 1, inputs)
    arrays = flat(x), flat(wide), flat(sums), tree.bounds, tree.merges
    # rows of whole vectors begin where these can be written past the caches
    past = shape.own_columns % lanes(dw.dtype) == 0 and goes_past([sums], [x, wide], soon=False)
    _by_groups.of(dw.dtype, len(sizes[1]))(*arrays, shape, *sizes, past, computing_threads())
    if sums is not dw:
        dw[...] = sums
    db[...] = sum_groups(dz, tree)


def dense_product(x: Floats, w: Floats, y: Floats) -> None:
    """Fill y (n, units) = x w for x (n, inputs) and w (inputs, units)."""
    _product(x, w, y, np.empty(0, y.dtype), -np.inf)


def _product(x: Floats, w: Floats, y: Floats, b: Floats, floor: float) -> None:
    """Fill y = x w, and where there is a bias y = max(x w + b, floor)."""
    sizes, bound = _sizes(len(w), w), y.dtype.type(floor)
    products = _beside(y, sizes)
    shape = DenseProduct(len(x), products.shape[1], w.shape[1], len(w), len(w), 1)
    with threads_for(len(x) * len(w) * products.shape[1] // _PRODUCTS) as workers:
        run = _plain.of(w.dtype, len(sizes[1]))
        run(flat(x), flat(w), flat(b), flat(products), bound, shape, *sizes, workers)
    if products is not y:
        y[...] = products[..., : y.shape[-1]]


def _sizes(inputs: int, w: Floats) -> tuple[Size, Size]:
    """The block of sums, and vectors of its rows, by which columns of w are made of so many inputs."""
    return _NARROW if inputs >= _MANY and w.shape[-1] <= lanes(w.dtype) else _SIZES


def _columns(w: Floats, sizes: tuple[Size, Size]) -> int:
    """Columns of a block of sums."""
    return len(sizes[1]) * lanes(w.dtype)


def _filled_up(w: Floats, sizes: tuple[Size, Size]) -> Floats:
    """The array itself where its columns are whole blocks; else a copy with zeros behind them."""
    more = -w.shape[1] % _columns(w, sizes)
    if not more:
        return w
    wide = np.zeros((len(w), w.shape[1] + more), w.dtype)
    wide[:, : w.shape[1]] = w
    return wide


def _beside(y: Floats, sizes: tuple[Size, Size]) -> Floats:
    """The array itself where it takes whole blocks and lies in one piece; else memory of its own."""
    more = -y.shape[-1] % _columns(y, sizes)
    return np.empty((*y.shape[:-1], y.shape[-1] + more), y.dtype) if more or not y.flags.c_contiguous else y
