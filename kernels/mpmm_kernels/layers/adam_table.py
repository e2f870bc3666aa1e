"""One update of all parameters: a table of where they lie, which one kernel goes through.

Of a network's parameters most are short. A call for each, cold after the layers' kernels, takes longer than
its arithmetic, and threads that share one long parameter wait for each other at its end.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numba.core.cgutils
import numpy as np
from llvmlite import ir
from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.layers.adam import PART as PIECE
from mpmm_kernels.layers.adam import AdamOptions, Factors, Leasts, factors_of, leasts_of, moved_part
from mpmm_kernels.runtime import compiled, compiled_intrinsic, next_piece, threads_for, tickets, types
from mpmm_kernels.vector import (
    PART,
    WHOLE,
    Size,
    add,
    lanes_of,
    load_lanes,
    multiplied,
    splat,
    store_lanes,
)

# What a piece of the table is: moved by Adam, the same with decay, or an average that goes on
_MOVED, _DECAYED, _AVERAGED = range(3)
_cgutils: Any = numba.core.cgutils


class UpdatedArrays(NamedTuple):
    """A parameter's value, gradient and two moments, contiguous, of one shape and type.

    Without moments (None) it is an average, which takes a share of what is in place of the gradient.
    """

    value: Floats
    gradient: Floats
    moments: tuple[Floats, Floats] | None


class AdamTable:
    """Parameters that are updated together. Their arrays must stay where they are, and the table keeps them.

    Parameters
    ----------
    parameters
        All of one type. Weight decay is for those of two axes and more.

    Raises
    ------
    ValueError
        An array is not contiguous, of another type than the first value, or of another shape than its own;
        or one that is moved may not be written.
    """

    def __init__(self, parameters: Sequence[UpdatedArrays]) -> None:
        self._arrays = tuple(parameters)
        self._like: Floats = np.empty(0, parameters[0].value.dtype if parameters else np.float32)
        rows = [row for arrays in parameters for row in self._pieces(arrays)]
        self._rows = np.array(rows, np.int64).reshape(-1, 6)
        self._elements = int(self._rows[:, 4].sum())

    def update(self, options: AdamOptions, step: int, average: float) -> None:
        """Move all in place as `adam_step` and `exponential_average` do, each number by the same bits.

        Parameters
        ----------
        step
            Number of this update, from 1.
        average
            How much of a running average is kept.
        """
        plain, decayed = factors_of(options._replace(decay=0.0), step), factors_of(options, step)
        shares = float(options.beta1), float(options.beta2), float(average)
        with threads_for(self._elements) as workers:
            _update(self._rows, self._like, shares, plain, decayed, leasts_of(self._like), workers)

    def _pieces(self, arrays: UpdatedArrays) -> Iterator[tuple[int, ...]]:
        """Addresses of value, gradient and moments of some elements, how many, and what is done with them."""
        first, second = arrays.moments or (arrays.value, arrays.value)
        held = arrays.value, arrays.gradient, first, second
        for array in held:
            alike = array.dtype == self._like.dtype and array.shape == arrays.value.shape
            if not (alike and array.flags.c_contiguous):
                raise ValueError(
                    f"updated together are contiguous arrays of {self._like.dtype} {arrays.value.shape}, "
                    f"one is {array.dtype} {array.shape} with strides {array.strides}"
                )
            if array is not arrays.gradient and not array.flags.writeable:
                raise ValueError(f"an array {array.shape} to be updated is read-only")
        kind = _DECAYED if arrays.value.ndim > 1 else _MOVED
        kind = _AVERAGED if arrays.moments is None else kind
        addresses = [array.ctypes.data for array in held]
        for start in range(0, arrays.value.size, PIECE):
            places = [address + start * self._like.itemsize for address in addresses]
            yield *places, min(PIECE, arrays.value.size - start), kind


@compiled(parallel=True)
def _update(
    rows: Array,
    like: Floats,
    shares: tuple[float, float, float],
    plain: Factors,
    decayed: Factors,
    leasts: Leasts,
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < len(rows):
            _update_piece(rows[piece], like, shares, plain, decayed, leasts)
            piece = next_piece(taken)


@compiled
def _update_piece(
    row: Array,
    like: Floats,
    shares: tuple[float, float, float],
    plain: Factors,
    decayed: Factors,
    leasts: Leasts,
) -> None:
    (beta1, beta2, average), count = shares, row[4]
    value, gradient = _array_at(row[0], count, like), _array_at(row[1], count, like)
    if row[5] == _AVERAGED:
        _average(value, gradient, average)
        return
    state = value, _array_at(row[2], count, like), _array_at(row[3], count, like)
    factors = decayed if row[5] == _DECAYED else plain
    moved_part(*state, gradient, *state, beta1, beta2, factors, leasts, False)


@compiled
def _average(running: Floats, batch: Floats, share: float) -> None:
    """As `exponential_average` does."""
    number, step = running.dtype.type, lanes_of(running)
    shares = splat(number(share)), splat(number(1 - share))
    whole = running.size - running.size % step
    for at in range(0, whole, step):
        _average_vector(running, batch, shares, (at, step), WHOLE)
    if whole < running.size:
        _average_vector(running, batch, shares, (whole, running.size - whole), PART)


@compiled
def _average_vector(running: Floats, batch: Floats, shares: Any, part: tuple[int, int], whole: Size) -> None:
    (keeping, taking), (at, left) = shares, part
    before, new = load_lanes(running, at, left, whole), load_lanes(batch, at, left, whole)
    store_lanes(running, at, add(multiplied(keeping, before), multiplied(taking, new)), left, whole)


@compiled_intrinsic
def _array_at(typing: Any, address: Any, count: Any, like: Any) -> Any:
    """The row of so many elements that lies at an address, of the type of another; who has it keeps it."""
    row = types.Array(like.dtype, 1, "C")

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit an array that owns nothing."""
        (address, count, _), array = args, context.make_array(row)(context, builder)
        size = ir.Constant(count.type, like.dtype.bitwidth // 8)
        array.data = builder.inttoptr(address, array.data.type)
        array.nitems, array.itemsize = count, size
        array.shape = _cgutils.pack_array(builder, [count])
        array.strides = _cgutils.pack_array(builder, [size])
        array.meminfo = _cgutils.get_null_value(array.meminfo.type)
        return array._getvalue()

    return row(address, count, like), emit
