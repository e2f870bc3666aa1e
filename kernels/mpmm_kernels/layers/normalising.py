"""Batch-norm of pixels by vectors, wherever they lie: in registers, in the first caches, in place."""

from typing import Any, TypeAlias

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled, compiled_intrinsic, types
from mpmm_kernels.vector import (
    Vector,
    add,
    at_least,
    lanes_of,
    less,
    load,
    load_part,
    multiplied,
    store,
    store_part,
)
from mpmm_kernels.vector import emit as vector_emit

# What an array is normalised by: (x - mean) * scale + beta, or the floor where that is less. Rows
# (NORM_ROWS, channels) of mean, scale, beta and floor, of the array's type
Normalisation: TypeAlias = Floats
NORM_ROWS = 4
# Pixels whose next channels are still in the first cache
TOGETHER = 64


def emit_normalised(builder: Any, value: Any, norm: list[Any]) -> Any:
    """A vector normalised by one of each row; products and sums are rounded one by one."""
    mean, scale, beta, floor = norm
    made = builder.fadd(builder.fmul(builder.fsub(value, mean), scale), beta)
    return vector_emit.at_least(builder, made, floor)


@compiled
def normalise_pixels(x: Floats, first: int, pixels: int, norm: Floats, y: Floats) -> None:
    """Normalise so many pixels from ``first`` on; y may be x, which compiled loops over elements do slowly.

    ``norm`` are rows one after the other (mean, scale, beta, floor), of a value for each channel; of none
    nothing happens.
    """
    channels, step = norm.size // NORM_ROWS, lanes_of(x)
    whole = channels - channels % step
    for begin in range(first, first + pixels if channels > 0 else first, TOGETHER):
        end = min(begin + TOGETHER, first + pixels)
        for c in range(0, whole, step):
            mean, scale = load(norm, c), load(norm, channels + c)
            beta, floor = load(norm, 2 * channels + c), load(norm, 3 * channels + c)
            for pixel in range(begin, end):
                at = pixel * channels + c
                made = add(multiplied(less(load(x, at), mean), scale), beta)
                store(y, at, at_least(made, floor))
        if whole < channels:
            for pixel in range(begin, end):
                at = pixel * channels + whole
                rest = load_part(x, at, channels - whole)
                store_part(y, at, normalised_part(rest, norm, whole, channels), channels - whole)


@compiled_intrinsic
def normalised(typing: Any, value: Vector, norm: Any, c: Any, channels: Any) -> Any:
    """The values of channels from c on, normalised."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit loads of the rows, and the arithmetic."""
        memory = vector_emit.Memory(context, builder, norm, args[1])
        rows = [memory.load(at, value.emitted) for at in _rows(builder, args)]
        return emit_normalised(builder, args[0], rows)

    return value(value, norm, types.intp, types.intp), emit


@compiled_intrinsic
def normalised_part(typing: Any, value: Vector, norm: Any, c: Any, channels: Any) -> Any:
    """The same of the last channels, which are fewer than a vector has lanes."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit loads of what is left of the rows, and the arithmetic."""
        memory = vector_emit.Memory(context, builder, norm, args[1])
        left = builder.sub(args[3], args[2])
        rows = [memory.load_part(at, left, value.emitted) for at in _rows(builder, args)]
        return emit_normalised(builder, args[0], rows)

    return value(value, norm, types.intp, types.intp), emit


def _rows(builder: Any, args: Any) -> list[Any]:
    """Where each row of a norm has the first of the channels."""
    return [builder.add(args[2], builder.mul(args[3], args[3].type(i))) for i in range(NORM_ROWS)]
