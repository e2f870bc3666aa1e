"""Exponential and logarithm by sums and products alone: those of C libraries differ from one to the next.

Both work in float64 and are right to two units in the last place.
"""

import math
from typing import Any

from llvmlite import ir

from mpmm_kernels.runtime import compiled, compiled_intrinsic, types

# ln 2 in two parts: whole numbers up to 2,000 times the first are exact
_HIGH, _LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_PER_LN2 = 1.44269504088896338700
# Arguments whose exponential is an ordinary number
_LEAST, _MOST = -708.0, 709.0
_EXPONENT, _ONE = 52, 1023
# Half of ln 2, up to which the polynomial reaches
_SMALL = 0.34
_MANTISSA = (1 << _EXPONENT) - 1
_SQRT2 = 1.41421356237309504880
# Of the exponential from the 13th power down, of the inverse hyperbolic tangent from the 23rd, every other
_TAYLOR = tuple(1 / math.factorial(k) for k in range(13, 1, -1))
_ODD = tuple(1 / k for k in range(23, 1, -2))


@compiled_intrinsic
def _number_of(typing: Any, bits: Any) -> Any:
    """The float64 of these 64 bits."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit one instruction that changes no bit."""
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), emit


@compiled_intrinsic
def _bits_of(typing: Any, number: Any) -> Any:
    """The 64 bits of a float64."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit one instruction that changes no bit."""
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), emit


@compiled
def exponential(x: float) -> float:
    """The exponential of x; 0 where it would be below 2^-1021, infinity where above 2^1022; a NaN stays one.

    x is n ln 2 + r with a small r, whose exponential is a polynomial (Taylor's).
    """
    if x != x:
        return x
    if x < _LEAST:
        return 0.0
    if x > _MOST:
        return math.inf
    n = math.floor(x * _PER_LN2 + 0.5)
    r = (x - n * _HIGH) - n * _LOW
    total = 0.0
    for coefficient in _TAYLOR:
        total = total * r + coefficient
    power: float = _number_of((n + _ONE) << _EXPONENT)
    return (1.0 + (r + r * r * total)) * power


@compiled
def exponential_less_one(x: float) -> float:
    """The exponential of x less 1, with all digits where x is small: Taylor's polynomial without its 1."""
    if not abs(x) < _SMALL:
        return exponential(x) - 1.0
    total = 0.0
    for coefficient in _TAYLOR:
        total = total * x + coefficient
    return x + x * x * total


@compiled
def logarithm(x: float) -> float:
    """The natural logarithm of a positive x; what is infinite or a NaN stays so.

    x is 2^n m with m near 1, and ln m = 2 artanh((m - 1) / (m + 1)), a series of odd powers.
    """
    if not x < math.inf:
        return x
    bits = _bits_of(x)
    n = (bits >> _EXPONENT) - _ONE
    m = _number_of((bits & _MANTISSA) | (_ONE << _EXPONENT))
    if m > _SQRT2:
        m, n = m / 2, n + 1
    s = (m - 1) / (m + 1)
    square, total = s * s, 0.0
    for coefficient in _ODD:
        total = total * square + coefficient
    whole: float = n * _HIGH + (2 * (s + s * (square * total)) + n * _LOW)
    return whole
