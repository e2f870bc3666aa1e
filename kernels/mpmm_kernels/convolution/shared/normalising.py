"""Batch-norm of outputs by the kernel that makes them, in registers or while they are in the first caches."""

from typing import Any

from mpmm_kernels.arrays import Floats
from mpmm_kernels.layers.batchnorm import Normalisation
from mpmm_kernels.runtime import compiled, compiled_intrinsic, types
from mpmm_kernels.vector import Vector, lanes_of, load, load_part, store, store_part
from mpmm_kernels.vector import emit as vector_emit

# Mean, scale, beta and floor
NORM_ROWS = len(Normalisation._fields)


def emit_normalised(builder: Any, value: Any, norm: list[Any]) -> Any:
    """A vector normalised by those of a norm's rows: the operations of `normalise`, in its order."""
    mean, scale, beta, floor = norm
    made = builder.fadd(builder.fmul(builder.fsub(value, mean), scale), beta)
    return vector_emit.at_least(builder, made, floor)


@compiled
def normalise_pixels(y: Floats, first: int, pixels: int, norm: Floats) -> None:
    """Normalise so many pixels of y from ``first`` on in place.

    ``norm`` are rows, one after the other, of a value for each channel, as `norm_rows` has them; of none
    nothing happens.
    """
    channels, step = norm.size // NORM_ROWS, lanes_of(y)
    whole = channels - channels % step
    for pixel in range(first, first + pixels if channels > 0 else first):
        at = pixel * channels
        for c in range(0, whole, step):
            store(y, at + c, _normalised(load(y, at + c), norm, c, channels))
        if whole < channels:
            rest = load_part(y, at + whole, channels - whole)
            made = _normalised_part(rest, norm, whole, channels)
            store_part(y, at + whole, made, channels - whole)


@compiled_intrinsic
def _normalised(typing: Any, value: Vector, norm: Any, c: Any, channels: Any) -> Any:
    """The values of channels from c on, normalised."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, norm, args[1])
        return emit_normalised(
            builder, args[0], [memory.load(at, value.emitted) for at in _rows(builder, args)]
        )

    return value(value, norm, types.intp, types.intp), emit


@compiled_intrinsic
def _normalised_part(typing: Any, value: Vector, norm: Any, c: Any, channels: Any) -> Any:
    """The same of the last channels, which are fewer than a vector has lanes."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, norm, args[1])
        left = builder.sub(args[3], args[2])
        rows = [memory.load_part(at, left, value.emitted) for at in _rows(builder, args)]
        return emit_normalised(builder, args[0], rows)

    return value(value, norm, types.intp, types.intp), emit


def _rows(builder: Any, args: Any) -> list[Any]:
    """Where each row of a norm has the first of the channels."""
    return [builder.add(args[2], builder.mul(args[3], args[3].type(i))) for i in range(NORM_ROWS)]
