"""Adam (Kingma and Ba 2015, arXiv:1412.6980) with bias correction, and decoupled weight decay by choice."""

import math
from typing import Any, NamedTuple, TypeAlias

from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled, computing_threads, next_piece, tickets
from mpmm_kernels.vector import PART as SOME_LANES
from mpmm_kernels.vector import (
    WHOLE,
    Size,
    add,
    divided,
    end_streams,
    goes_past,
    lanes_of,
    less,
    load_lanes,
    multiplied,
    put_lanes,
    root,
    splat,
    without_smaller,
)

# A parameter's value and its two moments, flat
_State: TypeAlias = tuple[Floats, Floats, Floats]
# Size of a step, correction of the second moment, epsilon, what decay leaves
Factors: TypeAlias = tuple[float, float, float, float]
# The least first moment, second moment, and gradient that counts in the second
Leasts: TypeAlias = tuple[float, float, float]
# Elements that a thread takes at a time; for a parameter of one part no other thread wakes up
PART = 8192
# By bytes of a number: times the smallest that has all its digits, below which a processor takes a hundred
# times as long. A first moment has room for a product with a small rate, a square for one with a small share.
_LEASTS: dict[int, Leasts] = {
    4: (2.0 ** (26 - 126), 2.0**-126, 2.0 ** (7 - 63)),
    8: (2.0 ** (26 - 1022), 2.0**-1022, 2.0 ** (7 - 511)),
}


class AdamState(NamedTuple):
    """A parameter's value and the two moments of its gradients, all of one shape."""

    value: Floats
    first: Floats
    second: Floats


class AdamOptions(NamedTuple):
    """Learning rate, shares kept of the moments, the least denominator, and decoupled weight decay.

    ``decay`` is that of Loshchilov and Hutter 2019, arXiv:1711.05101; 0 is plain Adam.
    """

    rate: float
    beta1: float
    beta2: float
    epsilon: float
    decay: float


def adam_step(
    state: AdamState,
    gradient: Floats,
    options: AdamOptions,
    step: int,
    into: tuple[Floats, Floats, Floats] | None = None,
) -> None:
    """Update a parameter and its two moments, in place or into other arrays.

    first = beta1 first + (1 - beta1) gradient, second = beta2 second + (1 - beta2) gradient^2;
    value -= rate decay value, then value -= rate m / (sqrt(v) + epsilon) with the corrected moments
    m = first / (1 - beta1^step) and v = second / (1 - beta2^step).
    Where no gradient comes any more moments would shrink for ever. A second one below the smallest number
    that has all its digits becomes zero, and so does a first one below 2^26 times that number. In the second
    no gradient counts below 2^7 times that number's root.

    Parameters
    ----------
    step
        Number of this update, from 1.
    into
        Where the new value and moments go, while those of ``state`` stay as they are.
    """
    value, first, second = state
    old = _row(value), _row(first), _row(second)
    new = old if into is None else (_row(into[0]), _row(into[1]), _row(into[2]))
    numbers = float(options.beta1), float(options.beta2), factors_of(options, step), leasts_of(value)
    arguments = *old, _row(gradient), *new, *numbers
    if value.size > PART:
        past = into is not None and goes_past(new, [*old, gradient], soon=False)
        _adam(*arguments, past, computing_threads())
    else:
        moved_part(*arguments, False)


def factors_of(options: AdamOptions, step: int) -> Factors:
    """What a step's vectors are multiplied with."""
    rate, beta1, beta2, epsilon, decay = options
    size = rate / (1 - beta1**step)
    return size, 1 / math.sqrt(1 - beta2**step), float(epsilon), 1 - rate * decay


def leasts_of(value: Floats) -> Leasts:
    """Below which moments, and gradients in the second, are zero."""
    return _LEASTS[value.itemsize]


def _row(array: Floats) -> Floats:
    """All elements in a row; mostly they are, and a view more of each array takes longer than to ask."""
    return array if array.ndim == 1 else array.reshape(-1)


@compiled(parallel=True)
def _adam(
    value: Floats,
    first: Floats,
    second: Floats,
    gradient: Floats,
    to_value: Floats,
    to_first: Floats,
    to_second: Floats,
    beta1: float,
    beta2: float,
    factors: Factors,
    leasts: Leasts,
    past: bool,
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        start = PART * next_piece(taken)
        while start < value.size:
            stop = min(start + PART, value.size)
            old = value[start:stop], first[start:stop], second[start:stop]
            new = to_value[start:stop], to_first[start:stop], to_second[start:stop]
            moved_part(*old, gradient[start:stop], *new, beta1, beta2, factors, leasts, past)
            start = PART * next_piece(taken)
        end_streams()


@compiled
def moved_part(
    value: Floats,
    first: Floats,
    second: Floats,
    gradient: Floats,
    to_value: Floats,
    to_first: Floats,
    to_second: Floats,
    beta1: float,
    beta2: float,
    factors: Factors,
    leasts: Leasts,
    past: bool,
) -> None:
    """One pass over memory, though arrays may be the same: compiled loops over elements would take two."""
    number, (size, correction, epsilon, shrinking) = value.dtype.type, factors
    one, keep1, keep2 = number(1), number(beta1), number(beta2)
    rates = splat(keep1), splat(one - keep1), splat(keep2), splat(one - keep2)
    ends = splat(number(size)), splat(number(correction)), splat(number(epsilon)), splat(number(shrinking))
    floors = splat(number(leasts[0])), splat(number(leasts[1])), splat(number(leasts[2]))
    old, new, how = (value, first, second), (to_value, to_first, to_second), (rates, ends, floors)
    step = lanes_of(value)
    whole = value.size - value.size % step
    for at in range(0, whole, step):
        _move(old, gradient, new, (at, step), how, WHOLE, past)
    if whole < value.size:
        _move(old, gradient, new, (whole, value.size - whole), how, SOME_LANES, past)


@compiled
def _move(
    old: _State, gradient: Floats, new: _State, part: tuple[int, int], how: Any, whole: Size, past: bool
) -> None:
    """A vector's new value and moments; ``part`` is where it begins, and its elements."""
    (at, left), (rates, (size, correction, epsilon, shrinking), (least1, least2, least)) = part, how
    keep1, new1, keep2, new2 = rates
    value = load_lanes(old[0], at, left, whole)
    first, second = load_lanes(old[1], at, left, whole), load_lanes(old[2], at, left, whole)
    g = load_lanes(gradient, at, left, whole)
    first = without_smaller(add(multiplied(keep1, first), multiplied(new1, g)), least1)
    g = without_smaller(g, least)
    second = without_smaller(add(multiplied(keep2, second), multiplied(multiplied(new2, g), g)), least2)
    scale = add(multiplied(root(second), correction), epsilon)
    value = less(multiplied(shrinking, value), divided(multiplied(size, first), scale))
    to_value, to_first, to_second = new
    put_lanes(to_value, at, value, left, whole, past)
    put_lanes(to_first, at, first, left, whole, past)
    put_lanes(to_second, at, second, left, whole, past)
