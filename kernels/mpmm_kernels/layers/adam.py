"""Adam (Kingma and Ba 2015, arXiv:1412.6980) with bias correction, and decoupled weight decay by choice."""

import math
from typing import NamedTuple

from numba import prange

from mpmm_kernels.arrays import Floats, copy_row
from mpmm_kernels.runtime import compiled, computing_threads, next_piece, tickets

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
    arguments = *old, _row(gradient), *new, float(beta1), float(beta2), factors, into is not None
    if value.size > PART:
        _adam(*arguments, computing_threads())
    else:
        _moved_part(*arguments)


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
    elsewhere: bool,
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        start = PART * next_piece(taken)
        while start < value.size:
            stop = min(start + PART, value.size)
            old = value[start:stop], first[start:stop], second[start:stop]
            new = to_value[start:stop], to_first[start:stop], to_second[start:stop]
            _moved_part(*old, gradient[start:stop], *new, beta1, beta2, factors, elsewhere)
            start = PART * next_piece(taken)


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
    elsewhere: bool,
) -> None:
    """Copies what fits the cache and moves it there: one loop over both would not be vectorised in place."""
    if elsewhere:
        copy_row(to_value, value)
        copy_row(to_first, first)
        copy_row(to_second, second)
    _adam_part(to_value, gradient, to_first, to_second, beta1, beta2, factors)


@compiled
def _adam_part(
    value: Floats,
    gradient: Floats,
    first: Floats,
    second: Floats,
    beta1: float,
    beta2: float,
    factors: tuple[float, float, float, float],
) -> None:
    number = value.dtype.type
    size, correction, epsilon, kept = factors
    whole = number(1)
    keep1, keep2 = number(beta1), number(beta2)
    for i in range(value.size):
        g = gradient[i]
        first[i] = keep1 * first[i] + (whole - keep1) * g
        second[i] = keep2 * second[i] + (whole - keep2) * g * g
        scale = math.sqrt(second[i]) * number(correction) + number(epsilon)
        value[i] = number(kept) * value[i] - number(size) * first[i] / scale
