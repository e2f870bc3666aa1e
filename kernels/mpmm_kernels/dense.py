"""Dense layers, y = x w + b, by NumPy's BLAS on one thread: the same bits at any number of compute threads.

Measured with 40 samples, 768 -> 256, float32: BLAS on one thread 0.17 ms, plain compiled loops 0.45 ms.
"""

import numpy as np

from mpmm_kernels._arrays import Floats
from mpmm_kernels.activation import relu, relu_backward, sigmoid, sigmoid_backward
from mpmm_kernels.plan import Activation
from mpmm_kernels.threads import one_blas_thread


def dense_forward(x: Floats, w: Floats, b: Floats, y: Floats, activation: Activation = "none") -> None:
    """Fill y (n, units) = activation(x w + b) for x (n, inputs), w (inputs, units), b (units,)."""
    with one_blas_thread():
        np.matmul(x, w, out=y)
    np.add(y, b, out=y)
    if activation == "relu":
        relu(y, y)
    elif activation == "sigmoid":
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
    with one_blas_thread():
        np.matmul(dz, w.T, out=dx)


def dense_backward_weights(x: Floats, dz: Floats, dw: Floats, db: Floats) -> None:
    """Fill dw = x^T dz, and db = dz summed over the samples in order."""
    with one_blas_thread():
        np.matmul(x.T, dz, out=dw)
    np.add.reduce(dz, axis=0, out=db)
