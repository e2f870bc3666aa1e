"""Runs of elements from one flat array to another, a vector at a time."""

from typing import Any

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector.blocks import Size, size
from mpmm_kernels.vector.vector import lanes_of, load, load_half, load_part, store, store_part

# what is meant of a vector, its first lanes, all, or those of one half as wide: arguments for which kernels
# are compiled apart
PART, WHOLE, HALF = size(0), size(1), size(2)


@compiled
def store_up_to(y: Floats, offset: int, value: Any, count: int) -> None:
    """Write the first ``count`` elements of a vector, or all where it has no more."""
    if count >= lanes_of(y):
        store(y, offset, value)
    else:
        store_part(y, offset, value, count)


@compiled
def load_up_to(x: Floats, offset: int, count: int) -> Any:
    """The first ``count`` elements and zeros, or a whole vector where there are no fewer.

    A whole one is never loaded by a mask, for by those some processors (Zen 5) fetch nothing ahead: sums of
    an array that lies in memory take three times as long.
    """
    if count >= lanes_of(x):
        return load(x, offset)
    return load_part(x, offset, count)


@compiled
def load_lanes(x: Floats, offset: int, count: int, whole: Size) -> Any:
    """`load_up_to` in a loop, of which the caller says before what is meant: `WHOLE`, `HALF` or `PART`."""
    if len(whole) == 1:
        return load(x, offset)
    if len(whole) == 2:
        return load_half(x, offset)
    return load_part(x, offset, count)


@compiled
def store_lanes(y: Floats, offset: int, value: Any, count: int, whole: Size) -> None:
    """`store_up_to` in a loop in the same way."""
    if len(whole) > 0:
        store(y, offset, value)
    else:
        store_part(y, offset, value, count)


@compiled
def copy_run(x: Floats, x_at: int, y: Floats, y_at: int, count: int) -> None:
    """Copy ``count`` elements of x, from x_at on, to y, from y_at on."""
    step = lanes_of(x)
    whole = count - count % step
    for i in range(0, whole, step):
        store(y, y_at + i, load(x, x_at + i))
    if whole < count:
        rest = load_part(x, x_at + whole, count - whole)
        store_part(y, y_at + whole, rest, count - whole)


@compiled(inlined=True)
def copy_columns(
    x: Floats, x_at: int, x_step: int, y: Floats, y_at: int, y_step: int, columns: int, channels: int
) -> None:
    """Copy the channels of a row of columns, which are ``x_step`` apart in x and ``y_step`` in y."""
    if x_step == channels and y_step == channels:
        copy_run(x, x_at, y, y_at, columns * channels)
        return
    for column in range(columns):
        copy_run(x, x_at + column * x_step, y, y_at + column * y_step, channels)
