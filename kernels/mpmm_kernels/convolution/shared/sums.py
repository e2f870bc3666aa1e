"""Gradients of weights and bias: a row for each group of samples, then what the rows add up to."""

from typing import NamedTuple

from numba import prange

from mpmm_kernels.arrays import Array, Floats, add_columns, copy_row
from mpmm_kernels.convolution.operands import Gradients
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.convolution.shared.arguments import WeightSums
from mpmm_kernels.runtime import compiled, computing_threads, next_piece, tickets

# Elements that are added up together: sums of a few groups stay in the first cache
_TOGETHER = 1024


class SumRow(NamedTuple):
    """How the sums of a group lie: (channels, filters) of each tap of a kernel, both in whole vectors.

    Of the kernel's planes and rows each next one is a step further. ``own_channels`` and ``own_filters`` are
    those that the weights have.
    """

    planes: int
    rows: int
    columns: int
    plane_step: int
    row_step: int
    channels: int
    own_channels: int
    filters: int
    own_filters: int


def row_of_taps(plan: BlockPlan, channels: int, filters: int) -> SumRow:
    """Sums that lie as a block's weights, but for so many channels and filters."""
    planes, rows, columns, own_channels, own_filters = plan.weights_shape
    step = columns * channels * filters
    steps, lengths = (rows * step, step), (channels, own_channels, filters, own_filters)
    return SumRow(planes, rows, columns, *steps, *lengths)


def rows_of_groups(weight_sums: Floats, bias_sums: Floats, gradients: Gradients) -> WeightSums:
    """The rows of the groups that have samples, and the gradients that their first sum goes to."""
    tree, dw, db = gradients.tree, gradients.dw[0], gradients.db[0]
    assert dw.flags.c_contiguous, "gradients are filled in place"
    groups = len(tree.merges)
    return WeightSums(weight_sums[:groups], bias_sums[:groups], tree.bounds, tree.merges, dw.reshape(-1), db)


def give_other_nodes(sums: WeightSums, where: Array | SumRow, gradients: Gradients) -> None:
    """Fill dw and db of a shard's other sums, which the kernel has added up like the first.

    ``where`` tells where a row has the weights' sums: their places, or how they lie.
    """
    if len(gradients.tree.rows) == 1:
        return
    run, nothing = (add_up_rows if isinstance(where, SumRow) else add_up_places), sums.merges[:0]
    for node, dw, db in zip(gradients.tree.rows[1:], gradients.dw[1:], gradients.db[1:], strict=True):
        run(sums.dw, sums.db, nothing, node, dw.reshape(-1), db, where, computing_threads())


@compiled(parallel=True)
def add_up_places(
    dw_sums: Floats,
    db_sums: Floats,
    merges: Array,
    node: int,
    dw: Floats,
    db: Floats,
    places: Array,
    workers: int,
) -> None:
    """Add up the groups' rows as ``merges`` say, and fill dw and db by the row of a node.

    Through views NumPy takes three times as long to fill dw, for few elements are next to each other in both;
    places are unsigned, for Numba asks of a signed one whether it counts from the end.
    """
    add_columns(db_sums, merges, 0, db.size)
    copy_row(db, db_sums[node, : db.size])
    taken, elements = tickets(), dw_sums.shape[1]
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece * _TOGETHER < elements:
            add_columns(dw_sums, merges, piece * _TOGETHER, min((piece + 1) * _TOGETHER, elements))
            piece = next_piece(taken)
    row, dealt = dw_sums[node], tickets()
    for _worker in prange(workers):
        piece = next_piece(dealt)
        while piece * _TOGETHER < dw.size:
            for i in range(piece * _TOGETHER, min((piece + 1) * _TOGETHER, dw.size)):
                dw[i] = row[places[i]]
            piece = next_piece(dealt)


@compiled(parallel=True)
def add_up_rows(
    dw_sums: Floats,
    db_sums: Floats,
    merges: Array,
    node: int,
    dw: Floats,
    db: Floats,
    row: SumRow,
    workers: int,
) -> None:
    """The same where sums lie in rows of taps, of which a part is added up and copied at a time."""
    add_columns(db_sums, merges, 0, db.size)
    copy_row(db, db_sums[node, : db.size])
    line, together = row.columns * row.channels, max(1, _TOGETHER // row.filters)
    pieces, taken = -(-line // together), tickets()
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < row.planes * row.rows * pieces:
            number, first = piece // pieces, piece % pieces * together
            start = number // row.rows * row.plane_step + number % row.rows * row.row_step
            last = min(first + together, line)
            add_columns(dw_sums, merges, start + first * row.filters, start + last * row.filters)
            _give(dw_sums[node], start, (first, last), dw, number, row)
            piece = next_piece(taken)


@compiled
def _give(sums: Floats, start: int, part: tuple[int, int], dw: Floats, number: int, row: SumRow) -> None:
    """Copy channels of a row of taps, the ``number``-th, from ``start`` on to dw."""
    first, last = part
    if row.channels == row.own_channels and row.filters == row.own_filters:
        to, elements = number * row.columns * row.channels * row.filters, row.filters
        copy_row(
            dw[to + first * elements : to + last * elements],
            sums[start + first * elements : start + last * elements],
        )
        return
    for k in range(first, last):
        column, channel = k // row.channels, k % row.channels
        if channel < row.own_channels:
            at, to = start + k * row.filters, ((number * row.columns + column) * row.own_channels + channel)
            copy_row(dw[to * row.own_filters : (to + 1) * row.own_filters], sums[at : at + row.own_filters])
