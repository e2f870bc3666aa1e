"""Dense layers, y = x w + b: the same bits at any number of compute threads, for a sample in any batch.

Products are made by the convolutions' micro-kernel, on all threads. Features or units that are no whole
vectors, mostly the few classes of a last layer, are filled up with zeros.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from mpmm_kernels.arrays import Floats, flat, sum_groups
from mpmm_kernels.groups import GroupTree, group_tree
from mpmm_kernels.layers.activation import relu_backward, sigmoid, sigmoid_backward
from mpmm_kernels.layers.dense_kernels import (
    DenseProduct,
    finish,
    multiply,
    multiply_groups,
    multiply_transposed,
)
from mpmm_kernels.vector import REGISTERS, Size, lanes, size
from mpmm_kernels.vocabulary import Activation

# Rows of a block of sums: with two vectors a row it fits the registers, and batches are often multiples of it
_HEIGHT = 8 if REGISTERS == 32 else 4


def dense_forward(x: Floats, w: Floats, b: Floats, y: Floats, activation: Activation = "none") -> None:
    """Fill y (n, units) = activation(x w + b) for x (n, inputs), w (inputs, units), b (units,)."""
    dense_product(x, w, y)
    floor: Any = y.dtype.type(0 if activation == "relu" else -np.inf)
    finish(y, b, floor, numba.get_num_threads())
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
    if any(length % lanes(w.dtype) for length in w.shape):
        dense_product(dz, np.ascontiguousarray(w.T), dx)
        return
    shape, sizes = DenseProduct(len(dz), len(w), w.shape[1], w.shape[1], 1), _sizes(len(w), str(w.dtype))
    square = size(lanes(w.dtype))
    multiply_transposed(flat(dz), flat(w), flat(dx), shape, *sizes, square, numba.get_num_threads())


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
    wide, sums = _filled_up(dz), _beside(dw)
    shape = DenseProduct(dw.shape[1], wide.shape[1], len(x), 1, dw.shape[1])
    sizes = _sizes(wide.shape[1], str(dw.dtype))
    groups = tree.bounds, tree.merges
    multiply_groups(flat(x), flat(wide), flat(sums), *groups, shape, *sizes, numba.get_num_threads())
    if sums is not dw:
        dw[...] = sums[..., : dw.shape[2]]
    db[...] = sum_groups(dz, tree)


def dense_product(x: Floats, w: Floats, y: Floats) -> None:
    """Fill y (n, units) = x w for x (n, inputs) and w (inputs, units)."""
    wide, products = _filled_up(w), _beside(y)
    shape = DenseProduct(len(x), wide.shape[1], len(w), len(w), 1)
    sizes = _sizes(wide.shape[1], str(w.dtype))
    multiply(flat(x), flat(wide), flat(products), shape, *sizes, numba.get_num_threads())
    if products is not y:
        y[...] = products[..., : y.shape[-1]]


def _filled_up(w: Floats) -> Floats:
    """The array itself where its columns are whole vectors; else a copy with columns of zeros behind them."""
    more = -w.shape[1] % lanes(w.dtype)
    if not more:
        return w
    wide = np.zeros((len(w), w.shape[1] + more), w.dtype)
    wide[:, : w.shape[1]] = w
    return wide


def _beside(y: Floats) -> Floats:
    """The array itself where it can take whole vectors and lies in one piece; else memory of its own."""
    more = -y.shape[-1] % lanes(y.dtype)
    return np.empty((*y.shape[:-1], y.shape[-1] + more), y.dtype) if more or not y.flags.c_contiguous else y


@cache
def _sizes(columns: int, dtype: str) -> tuple[Size, Size]:
    """Accumulators of a block, and the vectors of a row of it."""
    width = 2 if columns // lanes(dtype) % 2 == 0 else 1
    return size(_HEIGHT * width), size(width)
