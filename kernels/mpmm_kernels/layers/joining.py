"""Sums of several arrays of one shape, with ReLU where asked for, and the way back of their gradients."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats, flat
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import (
    AHEAD,
    KEPT,
    PAST,
    PIECE,
    Size,
    at_least,
    end_streams,
    fetch,
    goes_past,
    lanes_of,
    load,
    load_part,
    put,
    splat,
    store_part,
    where_above,
)
from mpmm_kernels.vector import add as add_vectors

# Arrays that are added together
_TOGETHER = 4


class _Summands(NamedTuple):
    """Two arrays to add up, and as many of two more as there are ``others``."""

    a: Floats
    b: Floats
    c: Floats
    d: Floats
    others: int


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
            past = goes_past([made], [total, *added], soon=True)
            _add(total, *added, *unused, len(added), floor, made, past, workers)
        total = made


def give(dy: Floats, y: Floats, dx: Floats) -> None:
    """Fill dx with dy where the output y of ReLU is positive, else 0.

    Parameters
    ----------
    dy
        Gradient of the sum, contiguous.
    y
        What `add` made with ReLU.
    dx
        The gradient of every summand.
    """
    gradients = dx.reshape(-1)
    with threads_for(dy.size) as workers:
        _give(flat(dy), flat(y), gradients, goes_past([dx], [dy, y], soon=True), workers)


@compiled(parallel=True)
def _add(
    a: Floats, b: Floats, c: Floats, d: Floats, others: int, floor: float, y: Floats, past: bool, workers: int
) -> None:
    taken, pieces = tickets(), -(-y.size // PIECE)
    for _worker in prange(workers):
        summands, piece = _Summands(a, b, c, d, others), next_piece(taken)
        while piece < pieces:
            part = piece * PIECE, min((piece + 1) * PIECE, y.size)
            if past:
                _add_piece(summands, floor, part, y, PAST)
            else:
                _add_piece(summands, floor, part, y, KEPT)
            piece = next_piece(taken)
        end_streams()


@compiled
def _add_piece(summands: _Summands, floor: float, piece: tuple[int, int], y: Floats, where: Size) -> None:
    (first, last), step, (a, b, c, d, others) = piece, lanes_of(y), summands
    whole, least = last - (last - first) % step, splat(floor)
    for at in range(first, whole, step):
        fetch(a, at + AHEAD)
        fetch(b, at + AHEAD)
        value = add_vectors(load(a, at), load(b, at))
        if others > 1:
            fetch(c, at + AHEAD)
            value = add_vectors(value, load(c, at))
        if others > 2:
            fetch(d, at + AHEAD)
            value = add_vectors(value, load(d, at))
        put(y, at, at_least(value, least), where)
    if whole < last:
        left = last - whole
        value = add_vectors(load_part(a, whole, left), load_part(b, whole, left))
        if others > 1:
            value = add_vectors(value, load_part(c, whole, left))
        if others > 2:
            value = add_vectors(value, load_part(d, whole, left))
        store_part(y, whole, at_least(value, least), left)


@compiled(parallel=True)
def _give(dy: Floats, y: Floats, dx: Floats, past: bool, workers: int) -> None:
    taken, pieces = tickets(), -(-dy.size // PIECE)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            part = piece * PIECE, min((piece + 1) * PIECE, dy.size)
            if past:
                _give_piece(dy, y, part, dx, PAST)
            else:
                _give_piece(dy, y, part, dx, KEPT)
            piece = next_piece(taken)
        end_streams()


@compiled
def _give_piece(dy: Floats, y: Floats, piece: tuple[int, int], dx: Floats, where: Size) -> None:
    (first, last), step = piece, lanes_of(dx)
    whole, zero = last - (last - first) % step, splat(dx.dtype.type(0))
    for at in range(first, whole, step):
        fetch(dy, at + AHEAD)
        fetch(y, at + AHEAD)
        put(dx, at, where_above(load(y, at), zero, load(dy, at)), where)
    if whole < last:
        left = last - whole
        value = where_above(load_part(y, whole, left), zero, load_part(dy, whole, left))
        store_part(dx, whole, value, left)
