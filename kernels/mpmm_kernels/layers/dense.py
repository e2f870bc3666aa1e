"""Dense layers, y = x w + b: the same bits at any number of compute threads.

Products whose features and units are whole vectors are made by the convolutions' micro-kernel, on all
threads; others, mostly the few classes of a last layer, by NumPy's BLAS on one thread.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

from mpmm_kernels.arrays import Floats, flat
from mpmm_kernels.layers.activation import relu_backward, sigmoid, sigmoid_backward
from mpmm_kernels.layers.dense_kernels import DenseProduct, finish, multiply, multiply_transposed
from mpmm_kernels.runtime import one_blas_thread
from mpmm_kernels.vector import REGISTERS, Size, lanes, size
from mpmm_kernels.vocabulary import Activation

# Rows of a block of sums: with two vectors a row it fits the registers, and batches are often multiples of it
_HEIGHT = 8 if REGISTERS == 32 else 4


def dense_forward(x: Floats, w: Floats, b: Floats, y: Floats, activation: Activation = "none") -> None:
    """Fill y (n, units) = activation(x w + b) for x (n, inputs), w (inputs, units), b (units,)."""
    shape = DenseProduct(len(x), w.shape[1], len(w), len(w), 1)
    if in_vectors(w):
        multiply(flat(x), flat(w), flat(y), shape, *_sizes(w.shape[1], str(w.dtype)), numba.get_num_threads())
    else:
        with one_blas_thread():
            np.matmul(x, w, out=y)
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
    """Fill the input's gradient, dx (n, inputs) = dz w^T."""
    shape = DenseProduct(len(dz), len(w), w.shape[1], w.shape[1], 1)
    if in_vectors(w):
        sizes = _sizes(len(w), str(w.dtype))
        multiply_transposed(
            flat(dz), flat(w), flat(dx), shape, *sizes, size(lanes(w.dtype)), numba.get_num_threads()
        )
    else:
        with one_blas_thread():
            np.matmul(dz, w.T, out=dx)


def dense_backward_weights(x: Floats, dz: Floats, dw: Floats, db: Floats) -> None:
    """Fill dw = x^T dz, and db = dz summed over the samples in order."""
    shape = DenseProduct(len(dw), dw.shape[1], len(x), 1, len(dw))
    if in_vectors(dw):
        sizes = _sizes(dw.shape[1], str(dw.dtype))
        multiply(flat(x), flat(dz), flat(dw), shape, *sizes, numba.get_num_threads())
    else:
        with one_blas_thread():
            np.matmul(x.T, dz, out=dw)
    np.add.reduce(dz, axis=0, out=db)


def in_vectors(w: Floats) -> bool:
    """Whether a layer's features and units are whole vectors."""
    return not any(length % lanes(w.dtype) for length in w.shape)


@cache
def _sizes(columns: int, dtype: str) -> tuple[Size, Size]:
    """Accumulators of a block, and the vectors of a row of it."""
    width = 2 if columns // lanes(dtype) % 2 == 0 else 1
    return size(_HEIGHT * width), size(width)
