"""Micro-kernels along the bands: transforms of neighbours in depth, and products of points by weights."""

from collections.abc import Callable
from typing import Any

from mpmm_kernels.convolution.indirect.blocks import Products, row_vectors
from mpmm_kernels.convolution.winograd.transform import combine
from mpmm_kernels.convolution.winograd_depth import filtering
from mpmm_kernels.layers.normalising import NORM_ROWS, emit_normalised
from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector
from mpmm_kernels.vector import emit as vector_emit

# Rows of what outputs end with: bias and a norm
ENDS = 1 + NORM_ROWS


@compiled_intrinsic
def input_points(typing: Any, shape: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """B' x, the points of inputs.

    ``shape`` are two tuples, as long as there are elements at once, and taps of the kernel. ``source`` and
    ``target`` are the offset of the first element and the step to its next neighbour, in this and the other
    transforms.
    """
    return _transform(filtering.input_parts, shape, x, y)


@compiled_intrinsic
def gradient_points(typing: Any, shape: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """A g, the gradient of points by that of outputs."""
    return _transform(filtering.gradient_parts, shape, x, y)


@compiled_intrinsic
def weight_points(typing: Any, shape: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """G w, the points of taps."""
    return _transform(filtering.weight_parts, shape, x, y)


@compiled_intrinsic
def weight_gradient(typing: Any, shape: Any, x: Any, source: Any, y: Any, target: Any) -> Any:
    """G' v, the gradient of taps by that of their points; writes that of one tap more."""
    return _transform(filtering.weight_gradient_parts, shape, x, y)


@compiled_intrinsic
def finished_planes(
    typing: Any, shape: Any, x: Any, source: Any, y: Any, target: Any, ends: Any, end: Any, floor: Any
) -> Any:
    """max(A' m + bias, floor) of points m, then normalised; what is not a number stays so.

    ``ends`` has rows of biases and of a norm's values, ``end`` where the first begins and the step between.
    """
    width, taps = map(len, shape.types)
    parts, vector = filtering.output_parts(taps), Vector(x.dtype, width).emitted

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the parts with an end to each output."""
        rows = _Neighbours(vector_emit.Memory(context, builder, ends, args[5]), args[6])
        bias, *norm = (rows.load(number, vector) for number in range(ENDS))
        least = vector_emit.splat(builder, args[7], vector)

        def finish(value: Any) -> Any:
            """Bias, then the floor of an output; then its norm."""
            value = vector_emit.at_least(builder, builder.fadd(value, bias), least)
            return emit_normalised(builder, value, norm)

        _emit(_neighbours(context, builder, (x, y), args), parts, vector, finish)
        return context.get_dummy_value()

    pair = types.UniTuple(types.intp, 2)
    return types.void(shape, x, pair, y, pair, ends, pair, x.dtype), emit


def _transform(parts_of: Callable[[int], list[filtering.Part]], shape: Any, x: Any, y: Any) -> Any:
    """What makes targets of sources, part by part."""
    width, taps = map(len, shape.types)
    parts, vector = parts_of(taps), Vector(x.dtype, width).emitted

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit one part after the other."""
        _emit(_neighbours(context, builder, (x, y), args), parts, vector, lambda value: value)
        return context.get_dummy_value()

    pair = types.UniTuple(types.intp, 2)
    return types.void(shape, x, pair, y, pair), emit


class _Neighbours:
    """Vectors of an array, the same elements of planes one step apart."""

    def __init__(self, memory: vector_emit.Memory, at: Any) -> None:
        self.builder, self._memory = memory.builder, memory
        self._first, self._step = (memory.builder.extract_value(at, i) for i in range(2))

    def load(self, number: int, vector: Any) -> Any:
        """The vector in the plane of a number."""
        return self._memory.load(self._at(number), vector)

    def store(self, number: int, value: Any) -> None:
        """Write the vector in the plane of a number."""
        self._memory.store(self._at(number), value)

    def _at(self, number: int) -> Any:
        step = self._step
        return self.builder.add(self._first, self.builder.mul(step, step.type(number)))


def _neighbours(context: Any, builder: Any, arrays: tuple[Any, Any], args: Any) -> list[_Neighbours]:
    """Sources and targets of a transform."""
    return [
        _Neighbours(vector_emit.Memory(context, builder, array, args[k]), args[k + 1])
        for array, k in zip(arrays, (1, 3), strict=True)
    ]


def _emit(
    sides: list[_Neighbours], parts: list[filtering.Part], vector: Any, finish: Callable[[Any], Any]
) -> None:
    """Sources are loaded again for each part: registers hold no more than that needs."""
    source, target = sides
    for part in parts:
        values = [_sum(source, terms, vector) for terms in part.sources]
        for matrix in part.matrices:
            values = combine(source.builder, matrix, values)
        for number, value in enumerate(values, start=part.first):
            target.store(number, finish(value))


def _sum(source: _Neighbours, terms: tuple[filtering.Term, ...], vector: Any) -> Any:
    """The sum of sources with their factors; of none zero."""
    if not terms:
        return vector_emit.zero(vector)
    row = tuple(term.factor for term in terms)
    return combine(source.builder, (row,), [source.load(term.source, vector) for term in terms])[0]


@compiled_intrinsic
def product_run(
    typing: Any, block: Any, x: Any, w: Any, starts: Any, steps: Any, count: Any, gap: Any, row: Any
) -> Any:
    """block[i, j] += x[x_at + i gap + k x_step] * w[w_at + k w_step + vector j ...] for all k < count.

    ``starts`` are x_at and w_at, ``steps`` x_step and w_step; the gap between rows is eight times the length
    of the tuple ``gap``, or one. It is known when compiling, so that a row's place takes no register.
    """
    distance = 8 * len(gap) or 1

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        """Emit the loop over k."""
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[2])
        vectors = row_vectors(row, w)
        sums = Products(builder, weights, vectors, len(block) // len(vectors))

        def values_at(from_x: Any) -> tuple[Any, Callable[[int], Any]]:
            def value(i: int) -> Any:
                """A row's element in every lane."""
                return source.broadcast(builder.add(from_x, from_x.type(i * distance)), sums.whole)

            return from_x, value

        return sums.run(args[0], args[3], args[4], args[5], values_at)

    pair = types.UniTuple(types.intp, 2)
    return block(block, x, w, pair, pair, types.intp, gap, row), emit
