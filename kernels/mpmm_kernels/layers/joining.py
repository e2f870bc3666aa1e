"""Sums of several arrays of one shape, with ReLU where asked for, and the way back of their gradients."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats, flat
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import (
    AHEAD,
    PART,
    PIECE,
    WHOLE,
    Size,
    at_least,
    end_streams,
    fetch,
    goes_past,
    lanes_of,
    load,
    load_lanes,
    load_part,
    put_lanes,
    splat,
    store_part,
    where_above,
)
from mpmm_kernels.vector import add as add_vectors

# Arrays that are added to another in one pass
MOST_ADDENDS = 3


class Addends(NamedTuple):
    """Flat arrays whose sum is (a + b) + c; empty are those that there are not."""

    a: Floats
    b: Floats
    c: Floats


def addends_of(arrays: Sequence[Floats], dtype: np.typing.DTypeLike) -> Addends:
    """Up to `MOST_ADDENDS` arrays as kernels take them."""
    nothing: Floats = np.empty(0, dtype)
    return Addends(*map(flat, arrays), *[nothing] * (MOST_ADDENDS - len(arrays)))


@compiled
def sum_of(addends: Addends, at: int, left: int, whole: Size) -> Any:
    """A vector of their sum, from first to last."""
    total = load_lanes(addends.a, at, left, whole)
    if addends.b.size > 0:
        total = add_vectors(total, load_lanes(addends.b, at, left, whole))
    if addends.c.size > 0:
        total = add_vectors(total, load_lanes(addends.c, at, left, whole))
    return total


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
    total, *others = arrays
    made, nothing, zero = y.reshape(-1), y.dtype.type(-np.inf), y.dtype.type(0)
    for first in range(0, len(others), MOST_ADDENDS):
        *between, last = others[first : first + MOST_ADDENDS]
        floor = zero if relu and first + MOST_ADDENDS >= len(others) else nothing
        with threads_for(made.size) as workers:
            past = goes_past([made], [total, *between, last], soon=True)
            _add(*addends_of([total, *between], made.dtype), flat(last), floor, made, past, workers)
        total = made


def give(dy: Floats, y: Floats | None, dx: Floats) -> None:
    """Fill dx with dy where the output y of ReLU is positive, else 0; without ReLU with all of dy.

    Parameters
    ----------
    dy
        Gradient of the sum, contiguous.
    y
        What `add` made with ReLU; None: it made no ReLU.
    dx
        The gradient of every summand.
    """
    # all is above what is not a number
    read, floor = ([dy], np.nan) if y is None else ([dy, y], 0)
    arrays = flat(dy), flat(read[-1]), dx.reshape(-1), dx.dtype.type(floor)
    with threads_for(dy.size) as workers:
        _give(*arrays, goes_past([dx], read, soon=True), workers)


@compiled(parallel=True)
def _add(
    a: Floats, b: Floats, c: Floats, last: Floats, floor: float, y: Floats, past: bool, workers: int
) -> None:
    taken, pieces = tickets(), -(-y.size // PIECE)
    for _worker in prange(workers):
        addends, piece = Addends(a, b, c), next_piece(taken)
        while piece < pieces:
            part = piece * PIECE, min((piece + 1) * PIECE, y.size)
            _add_piece(addends, last, floor, part, y, past)
            piece = next_piece(taken)
        end_streams()


@compiled
def _add_piece(
    addends: Addends, last: Floats, floor: float, piece: tuple[int, int], y: Floats, past: bool
) -> None:
    (first, end), step, least = piece, lanes_of(y), splat(floor)
    whole = end - (end - first) % step
    for at in range(first, whole, step):
        fetch(last, at + AHEAD)
        fetch(addends.a, at + AHEAD)
        if addends.b.size > 0:
            fetch(addends.b, at + AHEAD)
        if addends.c.size > 0:
            fetch(addends.c, at + AHEAD)
        total = add_vectors(sum_of(addends, at, step, WHOLE), load(last, at))
        put_lanes(y, at, at_least(total, least), step, WHOLE, past)
    if whole < end:
        left = end - whole
        total = add_vectors(sum_of(addends, whole, left, PART), load_part(last, whole, left))
        store_part(y, whole, at_least(total, least), left)


@compiled(parallel=True)
def _give(dy: Floats, y: Floats, dx: Floats, floor: float, past: bool, workers: int) -> None:
    taken, pieces = tickets(), -(-dy.size // PIECE)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            part = piece * PIECE, min((piece + 1) * PIECE, dy.size)
            _give_piece(dy, y, part, dx, floor, past)
            piece = next_piece(taken)
        end_streams()


@compiled
def _give_piece(dy: Floats, y: Floats, piece: tuple[int, int], dx: Floats, floor: float, past: bool) -> None:
    (first, last), step = piece, lanes_of(dx)
    whole, least = last - (last - first) % step, splat(floor)
    for at in range(first, whole, step):
        fetch(dy, at + AHEAD)
        fetch(y, at + AHEAD)
        put_lanes(dx, at, where_above(load(y, at), least, load(dy, at)), step, WHOLE, past)
    if whole < last:
        left = last - whole
        value = where_above(load_part(y, whole, left), least, load_part(dy, whole, left))
        store_part(dx, whole, value, left)
