"""Adam (Kingma and Ba 2015, arXiv:1412.6980) with bias correction, and decoupled weight decay by choice."""

import math

import numba
from numba import prange

from mpmm_kernels._arrays import Floats
from mpmm_kernels._compile import compiled
from mpmm_kernels.sharing import next_piece, tickets

# Elements that a thread takes at a time; for a parameter of one part no other thread wakes up
PART = 8192


def adam_step(
    value: Floats,
    gradient: Floats,
    first: Floats,
    second: Floats,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    step: int,
    decay: float,
) -> None:
    """Update a parameter and its two moments in place, all of one shape.

    first = beta1 first + (1 - beta1) gradient, second = beta2 second + (1 - beta2) gradient^2;
    value -= rate decay value, then value -= rate m / (sqrt(v) + epsilon) with the corrected moments
    m = first / (1 - beta1^step) and v = second / (1 - beta2^step).

    Parameters
    ----------
    step
        Number of this update, from 1.
    decay
        Decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101); 0 is plain Adam.
    """
    arrays = (value.reshape(-1), gradient.reshape(-1), first.reshape(-1), second.reshape(-1))
    size = rate / (1 - beta1**step)
    correction = 1 / math.sqrt(1 - beta2**step)
    factors = size, correction, float(epsilon), 1 - rate * decay
    if value.size > PART:
        _adam(*arrays, float(beta1), float(beta2), factors, numba.get_num_threads())
    else:
        _adam_part(*arrays, float(beta1), float(beta2), factors)


@compiled(parallel=True)
def _adam(
    value: Floats,
    gradient: Floats,
    first: Floats,
    second: Floats,
    beta1: float,
    beta2: float,
    factors: tuple[float, float, float, float],
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        start = PART * next_piece(taken)
        while start < value.size:
            stop = min(start + PART, value.size)
            arrays = value[start:stop], gradient[start:stop], first[start:stop], second[start:stop]
            _adam_part(*arrays, beta1, beta2, factors)
            start = PART * next_piece(taken)


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
    one = number(1)
    keep1, keep2 = number(beta1), number(beta2)
    for i in range(value.size):
        g = gradient[i]
        first[i] = keep1 * first[i] + (one - keep1) * g
        second[i] = keep2 * second[i] + (one - keep2) * g * g
        scale = math.sqrt(second[i]) * number(correction) + number(epsilon)
        value[i] = number(kept) * value[i] - number(size) * first[i] / scale
