"""Adam (Kingma and Ba 2015, arXiv:1412.6980) with bias correction, and decoupled weight decay by choice."""

import math
from typing import Any, NamedTuple

from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled, computing_threads, next_piece, tickets
from mpmm_kernels.vector import (
    KEPT,
    PAST,
    Size,
    add,
    divided,
    end_streams,
    goes_past,
    lanes_of,
    less,
    load,
    load_part,
    multiplied,
    put,
    root,
    splat,
    store_part,
)

# Elements that a thread takes at a time; for a parameter of one part no other thread wakes up
PART = 8192


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

    Parameters
    ----------
    step
        Number of this update, from 1.
    into
        Where the new value and moments go, while those of ``state`` stay as they are.
    """
    (value, first, second), (rate, beta1, beta2, epsilon, decay) = state, options
    old = _row(value), _row(first), _row(second)
    new = old if into is None else (_row(into[0]), _row(into[1]), _row(into[2]))
    size = rate / (1 - beta1**step)
    correction = 1 / math.sqrt(1 - beta2**step)
    factors = size, correction, float(epsilon), 1 - rate * decay
    arguments = *old, _row(gradient), *new, float(beta1), float(beta2), factors
    if value.size > PART:
        past = into is not None and goes_past(new, [*old, gradient], soon=False)
        _adam(*arguments, past, computing_threads())
    else:
        _moved_part(*arguments, KEPT)


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
    factors: tuple[float, float, float, float],
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
            if past:
                _moved_part(*old, gradient[start:stop], *new, beta1, beta2, factors, PAST)
            else:
                _moved_part(*old, gradient[start:stop], *new, beta1, beta2, factors, KEPT)
            start = PART * next_piece(taken)
        end_streams()


@compiled
def _moved_part(
    value: Floats,
    first: Floats,
    second: Floats,
    gradient: Floats,
    to_value: Floats,
    to_first: Floats,
    to_second: Floats,
    beta1: float,
    beta2: float,
    factors: tuple[float, float, float, float],
    where: Size,
) -> None:
    """One pass over memory, though arrays may be the same: compiled loops over elements would take two."""
    number, (size, correction, epsilon, shrinking) = value.dtype.type, factors
    one, keep1, keep2 = number(1), number(beta1), number(beta2)
    rates = splat(keep1), splat(one - keep1), splat(keep2), splat(one - keep2)
    ends = splat(number(size)), splat(number(correction)), splat(number(epsilon)), splat(number(shrinking))
    step, count = lanes_of(value), value.size
    whole = count - count % step
    for at in range(0, whole, step):
        old = load(value, at), load(first, at), load(second, at)
        made = _moved(old, load(gradient, at), rates, ends)
        put(to_value, at, made[0], where)
        put(to_first, at, made[1], where)
        put(to_second, at, made[2], where)
    if whole < count:
        left = count - whole
        old = load_part(value, whole, left), load_part(first, whole, left), load_part(second, whole, left)
        made = _moved(old, load_part(gradient, whole, left), rates, ends)
        store_part(to_value, whole, made[0], left)
        store_part(to_first, whole, made[1], left)
        store_part(to_second, whole, made[2], left)


@compiled
def _moved(old: Any, gradient: Any, rates: Any, ends: Any) -> Any:
    """A vector's new value and moments."""
    (value, first, second), (keep1, new1, keep2, new2) = old, rates
    size, correction, epsilon, shrinking = ends
    first = add(multiplied(keep1, first), multiplied(new1, gradient))
    second = add(multiplied(keep2, second), multiplied(multiplied(new2, gradient), gradient))
    scale = add(multiplied(root(second), correction), epsilon)
    return less(multiplied(shrinking, value), divided(multiplied(size, first), scale)), first, second
