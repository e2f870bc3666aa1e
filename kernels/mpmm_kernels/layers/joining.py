"""Sums of several arrays of one shape, with ReLU where asked for, and the way back of their gradients."""

from collections.abc import Sequence

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats, copy_row, flat
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets

# Elements that a worker takes at a time, and arrays that are added together
_PIECE = 4096
_TOGETHER = 4


def add(arrays: Sequence[Floats], y: Floats, relu: bool = False) -> None:
    """Fill y with the sum of two or more arrays, added from first to last, or 0 where ReLU makes that of it.

    In one pass over memory for up to four of them; a NaN stays one.

    Parameters
    ----------
    arrays
        Contiguous and of the shape of y, as y is.
    y
        The sum; memory of its own.
    relu
        Whether what is less than 0 becomes 0.
    """
    total, *others = map(flat, arrays)
    made, nothing, zero = y.reshape(-1), y.dtype.type(-np.inf), y.dtype.type(0)
    for first in range(0, len(others), _TOGETHER - 1):
        added = others[first : first + _TOGETHER - 1]
        last = first + len(added) == len(others)
        unused = [total] * (_TOGETHER - 1 - len(added))
        floor = zero if relu and last else nothing
        with threads_for(made.size) as workers:
            _add(total, *added, *unused, len(added), floor, made, workers)
        total = made


def give(dy: Floats, y: Floats | None, dx: Floats) -> None:
    """Fill dx with dy, or with dy where the output y of ReLU is positive, else 0.

    Parameters
    ----------
    dy
        Gradient of the sum, contiguous.
    y
        What `add` made with ReLU; None without.
    dx
        The gradient of every summand.
    """
    gradient, masked = flat(dy), y is not None
    output = gradient if y is None else flat(y)
    with threads_for(gradient.size) as workers:
        _give(gradient, output, masked, dx.reshape(-1), workers)


@compiled(parallel=True)
def _add(
    a: Floats, b: Floats, c: Floats, d: Floats, others: int, floor: float, y: Floats, workers: int
) -> None:
    taken, pieces = tickets(), -(-y.size // _PIECE)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            first, last = piece * _PIECE, min((piece + 1) * _PIECE, y.size)
            begun, target = a[first:last], y[first:last]
            if others == 1:
                _add_two(begun, b[first:last], floor, target)
            elif others == 2:
                _add_three(begun, b[first:last], c[first:last], floor, target)
            else:
                _add_four(begun, b[first:last], c[first:last], d[first:last], floor, target)
            piece = next_piece(taken)


@compiled
def _add_two(a: Floats, b: Floats, floor: float, y: Floats) -> None:
    for i in range(y.size):
        value = a[i] + b[i]
        y[i] = floor if value < floor else value


@compiled
def _add_three(a: Floats, b: Floats, c: Floats, floor: float, y: Floats) -> None:
    for i in range(y.size):
        value = a[i] + b[i] + c[i]
        y[i] = floor if value < floor else value


@compiled
def _add_four(a: Floats, b: Floats, c: Floats, d: Floats, floor: float, y: Floats) -> None:
    for i in range(y.size):
        value = a[i] + b[i] + c[i] + d[i]
        y[i] = floor if value < floor else value


@compiled(parallel=True)
def _give(dy: Floats, y: Floats, masked: bool, dx: Floats, workers: int) -> None:
    taken, pieces = tickets(), -(-dy.size // _PIECE)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            first, last = piece * _PIECE, min((piece + 1) * _PIECE, dy.size)
            _give_piece(dy[first:last], y[first:last], masked, dx[first:last])
            piece = next_piece(taken)


@compiled
def _give_piece(dy: Floats, y: Floats, masked: bool, dx: Floats) -> None:
    if masked:
        for i in range(dy.size):
            dx[i] = dy[i] if y[i] > 0 else 0
    else:
        copy_row(dx, dy)
