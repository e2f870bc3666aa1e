"""The summary of a network as a table of plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpmm.network.block import Block
from mpmm.network.layer import NO_COST, Cost, Layer

HEADER = ("layer", "output", "parameters", "MFLOP fwd", "MFLOP bwd", "kB", "kernel")


def summary_table(blocks: Mapping[str, Block]) -> str:
    """One row a layer and a last row with the sums; costs are for one patch.

    MFLOP are millions of operations of the forward and backward; kB is what the layer keeps of a
    patch for the backward, in thousands of bytes.
    """
    rows = [row for block in blocks.values() for row in _block_rows(block)]
    count = sum(parameter.value.size for block in blocks.values() for parameter in block.parameters)
    total = sum((block.cost() for block in blocks.values()), NO_COST)
    return _aligned([HEADER, *rows, _row("total", (), count, total, "")])


def _block_rows(block: Block) -> list[tuple[str, ...]]:
    rows = [_layer_row(layer) for layer in block.layers]
    join = block.joining
    if join is None:
        return rows
    return [_row(join.name, join.output_shape, 0, join.cost(), join.describe()), *rows]


def _layer_row(layer: Layer) -> tuple[str, ...]:
    count = sum(parameter.value.size for parameter in layer.parameters)
    return _row(layer.name, layer.output_shape, count, layer.cost(), layer.describe())


def _row(name: str, shape: tuple[int, ...], count: int, cost: Cost, kernel: str) -> tuple[str, ...]:
    return (
        name,
        "x".join(map(str, shape)),
        f"{count:,}" if count else "",
        _millions(cost.flops_forward),
        _millions(cost.flops_backward),
        f"{cost.activation_bytes / 1e3:,.1f}" if cost.activation_bytes else "",
        kernel,
    )


def _millions(operations: int) -> str:
    return f"{operations / 1e6:,.3f}" if operations else ""


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest entry, names left, numbers right; a rule above sums."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [
        "  ".join(
            text.ljust(width) if column in (0, 1, 6) else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
