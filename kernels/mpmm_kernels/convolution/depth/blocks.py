"""Micro-kernels whose rows are neighbours in depth: an input is broadcast once for all taps that meet it.

Where the last vector of a row would be a half or a quarter empty, two or four parts of the depth share it:
24 filters take three vectors for two rows, not four. A block has the accumulators of ``planes`` rows of each
partner, in this order: for a row, the whole vectors of every partner, and the one they share.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mpmm_kernels.convolution.indirect.blocks import Row
from mpmm_kernels.runtime import compiled_intrinsic, types
from mpmm_kernels.vector import Vector
from mpmm_kernels.vector import emit as vector_emit


def partners(row: Row, lanes: int) -> int:
    """How many parts of the depth share the last vector of a row."""
    return lanes // len(row[1])


def accumulators(row: Row, lanes: int, planes: int) -> int:
    """How many vectors a block of so many planes holds in registers."""
    return planes * (partners(row, lanes) * (len(row[0]) - 1) + 1)


class _Rows:
    """How vectors of a row and its partners are made, while code is emitted."""

    def __init__(self, row: Any, array: Any) -> None:
        self.vector = Vector(array.dtype).emitted
        self.part = Vector(array.dtype, len(row.types[1])).emitted
        self.vectors = len(row.types[0])
        self.partners = self.vector.count // self.part.count
        self.each = self.partners * (self.vectors - 1) + 1

    def load(self, memory: vector_emit.Memory, offset: Any) -> list[Any]:
        """A row for all partners: the last vector's part stands there once for each."""
        builder = memory.builder
        offsets = [builder.add(offset, offset.type(i * self.vector.count)) for i in range(self.vectors)]
        whole = [memory.load(offset, self.vector) for offset in offsets[:-1]]
        return [*whole, vector_emit.repeated(builder, memory.load(offsets[-1], self.part), self.partners)]

    def masks(self, builder: Any) -> list[Any]:
        """For each partner but the first, the lanes of the shared vector that are its own or come later."""
        lanes = self.vector.count
        return [
            vector_emit.lanes_from(builder, first, lanes)
            for first in range(self.part.count, lanes, self.part.count)
        ]

    def split(self, builder: Any, block: list[Any], at: int) -> Iterator[tuple[int, int, Any]]:
        """Partner, first lane and value of each vector of the row at ``at``, the shared one in parts."""
        for partner in range(self.partners):
            for i in range(self.vectors - 1):
                yield partner, i * self.vector.count, block[at + partner * (self.vectors - 1) + i]
            part = vector_emit.lanes(
                builder, block[at + self.each - 1], partner * self.part.count, self.part.count
            )
            yield partner, (self.vectors - 1) * self.vector.count, part


class _Column:
    """Broadcasts of neighbours in depth, for each partner and for the vector they share."""

    def __init__(
        self, rows: _Rows, source: vector_emit.Memory, offsets: list[Any], step: Any, masks: list[Any]
    ) -> None:
        self._rows, self._source, self._offsets, self._step = rows, source, offsets, step
        self._masks = masks

    def next(self, wanted: bool) -> tuple[list[Any], Any]:
        """The next plane's element as each partner sees it, and lane by lane of the shared vector."""
        builder, rows = self._source.builder, self._rows
        own: list[Any] = []
        if wanted:
            own = [self._source.broadcast(offset, rows.vector) for offset in self._offsets]
        # one after the other: LLVM would keep a register for each of them
        self._offsets = [
            builder.add(vector_emit.unforeseen(builder, offset, in_order=True), self._step)
            for offset in self._offsets
        ]
        shared = own[0] if own else None
        for partner in range(1, len(own)):
            shared = builder.select(self._masks[partner - 1], own[partner], shared)
        return own, shared


@compiled_intrinsic
def slide_depth(
    typing: Any, block: Any, x: Any, w: Any, starts: Any, steps: Any, count: Any, tile: Any
) -> Any:
    """block[i] += x[x_at + k + (i stride + t) plane] * w[w_at + k w_step + t tap_step ...].

    For all k < count and all taps t. ``starts`` are x_at and w_at, ``steps`` plane, w_step and tap_step; the
    lengths of ``tile``'s planes, taps and stride are the rows, the taps, and the planes between two rows. A
    partner begins after the last row of the one before.
    """
    sizes = dict(zip(tile.fields, tile.types, strict=True))
    planes, taps, gap = (len(sizes[name]) for name in ("planes", "taps", "stride"))
    rows = _Rows(types.Tuple((sizes["columns"], sizes["last"])), w)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = vector_emit.Memory(context, builder, x, args[1])
        weights = vector_emit.Memory(context, builder, w, args[2])
        plane, w_step, tap_step = (builder.extract_value(args[4], i) for i in range(3))
        part = builder.mul(plane, plane.type(planes * gap))
        parts = [builder.mul(part, part.type(partner)) for partner in range(rows.partners)]
        masks = rows.masks(builder)

        def products(carried: list[Any]) -> list[Any]:
            (x_at, w_at), out = carried[:2], carried[2:]
            column = _Column(rows, source, [builder.add(x_at, part) for part in parts], plane, masks)
            tap: list[list[Any]] = []
            tap_at = w_at
            for j in range((planes - 1) * gap + taps):
                if j < taps:
                    tap.append(rows.load(weights, tap_at))
                    tap_at = builder.add(vector_emit.unforeseen(builder, tap_at), tap_step)
                met = [(i, j - i * gap) for i in range(planes) if 0 <= j - i * gap < taps]
                seen = column.next(bool(met))
                for i, t in met:
                    _add_products(builder, rows, out, i * rows.each, seen, tap[t])
                out = vector_emit.settled(builder, out)
            return [builder.add(x_at, x_at.type(1)), builder.add(w_at, w_step), *out]

        starts = [builder.extract_value(args[3], i) for i in range(2)]
        sums = [builder.extract_value(args[0], i) for i in range(len(block))]
        made = vector_emit.loop(builder, args[5], [*starts, *sums], products)
        return vector_emit.pack(builder, made[2:])

    pair, triple = (types.UniTuple(types.intp, length) for length in (2, 3))
    return block(block, x, w, pair, triple, types.intp, tile), emit


def _add_products(
    builder: Any, rows: _Rows, out: list[Any], at: int, seen: tuple[list[Any], Any], tap: list[Any]
) -> None:
    """Add to the row of a block at ``at`` each partner's element times a tap's weights."""
    own, shared = seen
    for partner, value in enumerate(own):
        for i, weight in enumerate(tap[:-1], start=at + partner * (rows.vectors - 1)):
            out[i] = vector_emit.multiply_add(builder, value, weight, out[i])
    last = at + rows.each - 1
    out[last] = vector_emit.multiply_add(builder, shared, tap[-1], out[last])


@compiled_intrinsic
def finish_depth(typing: Any, block: Any, bias: Any, bias_at: Any, floor: Any, row: Any) -> Any:
    """max(block[i] + bias[bias_at ...], floor) for every row i; what is not a number stays so."""
    rows = _Rows(row, bias)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, bias, args[1])
        whole = rows.load(memory, args[2])
        added = whole[:-1] * rows.partners + whole[-1:]
        least = vector_emit.splat(builder, args[3], rows.vector)
        made = []
        for i in range(len(block)):
            value = builder.fadd(builder.extract_value(args[0], i), added[i % rows.each])
            made.append(vector_emit.at_least(builder, value, least))
        return vector_emit.pack(builder, made)

    return block(block, bias, types.intp, bias.dtype, row), emit


@compiled_intrinsic
def store_depth(typing: Any, block: Any, y: Any, y_at: Any, step: Any, planes: Any, row: Any) -> Any:
    """Write the rows of a block ``step`` apart, partner after partner."""
    return _at_each_vector(block, y, planes, row, lambda memory, offset, value: memory.store(offset, value))


@compiled_intrinsic
def add_depth(typing: Any, block: Any, y: Any, y_at: Any, step: Any, planes: Any, row: Any) -> Any:
    """Add the rows of a block to what is there: y + block, ``step`` apart, partner after partner."""

    def add(memory: vector_emit.Memory, offset: Any, value: Any) -> None:
        """Add a vector to what is there."""
        memory.store(offset, memory.builder.fadd(memory.load(offset, value.type), value))

    return _at_each_vector(block, y, planes, row, add)


def _at_each_vector(
    block: Any, y: Any, planes: Any, row: Any, put: Callable[[vector_emit.Memory, Any, Any], None]
) -> Any:
    """An intrinsic that puts each vector of a block to its offset in y."""
    rows = _Rows(row, y)

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        memory = vector_emit.Memory(context, builder, y, args[1])
        start, step = args[2], args[3]
        out = [builder.extract_value(args[0], i) for i in range(len(block))]
        for i in range(len(planes)):
            for partner, lane, value in rows.split(builder, out, i * rows.each):
                offset = builder.mul(step, step.type(partner * len(planes) + i))
                put(memory, builder.add(builder.add(start, offset), start.type(lane)), value)
        return context.get_dummy_value()

    return types.void(block, y, types.intp, types.intp, planes, row), emit
