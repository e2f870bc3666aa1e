"""What the method "depth" needs to know of a block: its columns, and the register blocks that make them."""

from typing import NamedTuple

import numpy as np

from mpmm_kernels.convolution.depth.blocks import accumulators, partners
from mpmm_kernels.convolution.indirect.blocks import Row
from mpmm_kernels.convolution.indirect.geometry import FlippedConvolution, row_of
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.geometry import Staging, needed, whole_vectors
from mpmm_kernels.vector import OWN, PLANNED, Registers, Size, size

# Bytes of the sums of a group of planes, which stay in the first caches until they are pooled
_GROUP_BYTES = 32 * 1024
# Cycles of a multiply-add's latency
_LATENCY = 4
# Rows of the highest block: kernels are compiled for each
_MOST_ROWS = 24
# Planes that blocks make of a column, by those it has, and accumulators that hide a product's latency
_MOST_MADE, _LEAST_BLOCK = 1.15, 7


class DepthColumns(NamedTuple):
    """A convolution whose outputs are made column by column: all planes of a pixel, a block at a time.

    Planes of the source are ``plane`` elements apart; the sources of two neighbours in a row or a column of
    the output are ``column`` and ``row``. A plane of the kernel has ``kernel_rows`` times ``kernel_columns``
    times ``padded`` terms, of which ``terms`` are not zero. Rows and columns of the kernel are left out where
    they meet nothing but the zeros around ``inner_rows`` and ``inner_columns``, which begin ``before_rows``
    and ``before_columns`` behind the first.
    """

    planes: int
    rows: int
    columns: int
    filters: int
    plane: int
    row: int
    column: int
    kernel_rows: int
    kernel_columns: int
    kernel_row: int
    kernel_column: int
    terms: int
    padded: int
    before_rows: int
    before_columns: int
    inner_rows: int
    inner_columns: int


class DepthTile(NamedTuple):
    """Accumulators of a block: ``planes`` rows for each partner, for ``taps`` of the kernel at once.

    ``columns`` are the vectors of a row, ``last`` the lanes of the last of them.
    """

    block: Size
    planes: Size
    taps: Size
    stride: Size
    columns: Size
    last: Size

    def span(self, lanes: int) -> int:
        """Planes that a block makes, of vectors of so many lanes: parts of the depth may share the last."""
        return len(self.planes) * partners((self.columns, self.last), lanes)

    def narrow(self, lanes: int) -> bool:
        """Whether a row is no more than a part of a vector."""
        return len(self.columns) == 1 and len(self.last) < lanes

    def fills(self, planes: int, lanes: int) -> bool:
        """Whether whole blocks make few of so many planes twice, and products are not waited for."""
        span = self.span(lanes)
        made = -(-planes // span) * span
        return made <= _MOST_MADE * planes and len(self.planes) > 1 and len(self.block) >= _LEAST_BLOCK

    def describe(self, lanes: int) -> str:
        """Planes of a block by vectors of a row, the last as a part of one."""
        return f"{self.span(lanes)}x{len(self.columns) - 1 + len(self.last) / lanes:g}"


def tile(
    filters: int, planes: int, taps: int, stride: int, dtype: str, registers: Registers = OWN
) -> DepthTile:
    """The block that makes so many planes fastest, of those that registers hold."""
    width = registers.lanes(dtype)
    vectors = -(-filters // width)
    blocks = [
        (vectors // len(row[0]) * _cycles(row, width, planes, taps, stride, rows), -rows, row)
        for row in _rows(filters, planes, dtype, registers)
        for rows in _heights(row, planes, taps, width, registers.number)
    ]
    _, rows, row = min(blocks, key=lambda block: block[:2])
    return DepthTile(
        block=size(accumulators(row, width, -rows)),
        planes=size(-rows),
        taps=size(taps),
        stride=size(stride),
        columns=row[0],
        last=row[1],
    )


def _rows(filters: int, planes: int, dtype: str, registers: Registers) -> list[Row]:
    """Rows to choose from: of few registers more planes may be worth more than a whole row."""
    width = registers.lanes(dtype)
    row, single = row_of(filters, dtype, registers), (size(1), size(width))
    if registers.number >= PLANNED.number:
        return [row]
    return [row, single] if partners(row, width) <= planes else [single]


def _heights(row: Row, planes: int, taps: int, width: int, registers: int) -> list[int]:
    """Planes of each partner that registers hold, beside the taps that meet them and their inputs."""
    shared = partners(row, width)
    possible = [
        rows
        for rows in range(1, min(planes // shared, _MOST_ROWS) + 1)
        if accumulators(row, width, rows) + min(rows, taps) * len(row[0]) + shared + 1 <= registers
    ]
    return possible or [1]


def _cycles(row: Row, width: int, planes: int, taps: int, stride: int, rows: int) -> float:
    """Estimated cycles of a column a term."""
    shared = partners(row, width)
    products = taps * accumulators(row, width, rows)
    loads = shared * ((rows - 1) * stride + taps) + taps * len(row[0])
    return -(-planes // (shared * rows)) * (_bound(products, loads, _LATENCY * taps) + 2)


def _bound(products: float, loads: float, chain: float) -> float:
    """Cycles of so many products and loads, two in each, or of a chain; loads cost some anyway."""
    return max(products / 2, loads / 2, chain) + loads / 8


def forward_columns(plan: BlockPlan, staged: Staging) -> DepthColumns:
    """The block's convolution of a staged sample."""
    planes, rows, columns = needed(plan)
    channels, row = staged.padded, staged.columns * staged.padded
    return DepthColumns(
        planes=planes,
        rows=rows,
        columns=columns,
        filters=whole_vectors(plan.filters, plan.dtype),
        plane=staged.rows * row,
        row=plan.stride[1] * row,
        column=plan.stride[2] * channels,
        kernel_rows=plan.kernel[1],
        kernel_columns=plan.kernel[2],
        kernel_row=row,
        kernel_column=channels,
        terms=channels,
        padded=channels,
        before_rows=0,
        before_columns=0,
        inner_rows=staged.rows,
        inner_columns=staged.columns,
    )


def input_columns(plan: BlockPlan, flipped: FlippedConvolution) -> DepthColumns:
    """The convolution of a spread gradient that makes the input's, where nothing has a stride."""
    depth, rows, columns, channels = plan.input_shape
    _, inner_rows, inner_columns = needed(plan)
    _, before_rows, before_columns = (k - 1 - b for k, b in zip(plan.kernel, plan.before, strict=True))
    return DepthColumns(
        planes=depth,
        rows=rows,
        columns=columns,
        filters=whole_vectors(channels, plan.dtype),
        plane=flipped.plane_step,
        row=flipped.row_step,
        column=flipped.padded,
        kernel_rows=plan.kernel[1],
        kernel_columns=plan.kernel[2],
        kernel_row=flipped.row_step,
        kernel_column=flipped.padded,
        terms=flipped.filters,
        padded=flipped.padded,
        before_rows=before_rows,
        before_columns=before_columns,
        inner_rows=inner_rows,
        inner_columns=inner_columns,
    )


def group(columns: DepthColumns, rows: int, span: int, multiple: int, item: int) -> int:
    """Planes of a column that are made before they are pooled, as many as caches hold of ``rows`` lines.

    A multiple of ``multiple``, and of the ``span`` of a block where that can be.
    """
    whole = int(np.lcm(span, multiple))
    plane = rows * columns.columns * columns.filters * item
    unit = whole if whole <= columns.planes else multiple
    return min(max(_GROUP_BYTES // (plane * unit), 1) * unit, -(-columns.planes // multiple) * multiple)
