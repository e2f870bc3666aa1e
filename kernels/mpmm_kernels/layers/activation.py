"""Activations, element by element: ReLU and the logistic sigmoid. Output and input may be the same array."""

from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.layers.elementary import exponential
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets


def relu(x: Floats, y: Floats) -> None:
    """Fill y = max(x, 0); a NaN stays one. Shapes (n, ...)."""
    with threads_for(y.size) as workers:
        _relu(_rows(x), _rows(y), workers)


def relu_backward(y: Floats, dy: Floats, dx: Floats) -> None:
    """Fill dx = dy where the output y is positive, else 0."""
    with threads_for(y.size) as workers:
        _relu_backward(_rows(y), _rows(dy), _rows(dx), workers)


def sigmoid(x: Floats, y: Floats) -> None:
    """Fill y = 1 / (1 + exp(-x)), without overflow for any x. Shapes (n, ...)."""
    with threads_for(y.size) as workers:
        _sigmoid(_rows(x), _rows(y), workers)


def sigmoid_backward(y: Floats, dy: Floats, dx: Floats) -> None:
    """Fill dx = dy y (1 - y), y being the output."""
    with threads_for(y.size) as workers:
        _sigmoid_backward(_rows(y), _rows(dy), _rows(dx), workers)


def _rows(x: Floats) -> Floats:
    return x.reshape(len(x), -1)


@compiled(parallel=True)
def _relu(x: Floats, y: Floats, workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < x.shape[0]:
            for i in range(x.shape[1]):
                y[n, i] = 0 if x[n, i] < 0 else x[n, i]
            n = next_piece(taken)


@compiled(parallel=True)
def _relu_backward(y: Floats, dy: Floats, dx: Floats, workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < y.shape[0]:
            for i in range(y.shape[1]):
                dx[n, i] = dy[n, i] if y[n, i] > 0 else 0
            n = next_piece(taken)


@compiled(parallel=True)
def _sigmoid(x: Floats, y: Floats, workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < x.shape[0]:
            for i in range(x.shape[1]):
                small = exponential(-abs(x[n, i]))  # at most 1
                y[n, i] = (small if x[n, i] < 0 else 1) / (1 + small)
            n = next_piece(taken)


@compiled(parallel=True)
def _sigmoid_backward(y: Floats, dy: Floats, dx: Floats, workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < y.shape[0]:
            for i in range(y.shape[1]):
                dx[n, i] = dy[n, i] * y[n, i] * (1 - y[n, i])
            n = next_piece(taken)
