"""Matrix products of dense layers by the micro-kernel of the convolutions; each output is one sum in order.

Arrays are flat. Every element of a result is added up by one worker, in an order that follows from the
shapes: the bits depend neither on the number of threads nor on which other samples are in the batch.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.runtime import compiled, next_piece, tickets
from mpmm_kernels.vector import (
    ONE,
    Size,
    add,
    add_blocks,
    at_least,
    copy_run,
    end_streams,
    fetch,
    fetch_run,
    lanes_of,
    load,
    load_block,
    load_up_to,
    outer,
    put_block,
    splat,
    store,
    store_block,
    zeros,
)

# Terms added before a block goes back to memory: so many rows of w stay in the cache for all blocks
TERMS = 256
# Pieces of a product for each worker
PIECES = 4


class DenseProduct(NamedTuple):
    """y (rows, columns) = sum over ``depth`` of x w; w (depth, own_columns), x by its steps in flat memory.

    Columns are whole blocks of sums; beyond the own ones there is nothing of interest.
    """

    rows: int
    columns: int
    own_columns: int
    depth: int
    row_step: int
    depth_step: int


@compiled(parallel=True)
def multiply(
    x: Floats,
    w: Floats,
    b: Floats,
    y: Floats,
    floor: float,
    shape: DenseProduct,
    block: Size,
    width: Size,
    workers: int,
) -> None:
    """Fill y by the product, and where there is a bias b by max(product + b, floor); a NaN stays one.

    A worker takes some neighbouring blocks at a time.

    Weights that several blocks meet one after the other are brought together first: rows of w are often some
    multiple of 512 bytes apart, and would all fall into a few lines of the first cache. So are those of fewer
    columns than a block has, with zeros behind them.
    """
    step = len(width) * lanes_of(y)
    down, across = -(-shape.rows // (len(block) // len(width))), shape.columns // step
    filled = shape.own_columns < shape.columns
    pieces, taken = min((1 if filled else PIECES) * workers, down * across), tickets()
    together = filled or 1 < down <= across
    for _worker in prange(workers):
        panel = np.empty(TERMS * step if together else 0, w.dtype)
        piece = next_piece(taken)
        while piece < pieces:
            for k in range(0, shape.depth, TERMS):
                terms, there = (k, min(k + TERMS, shape.depth)), -1
                for task in range(piece * down * across // pieces, (piece + 1) * down * across // pieces):
                    row, column = (
                        (task % down, task // down)
                        if together or down <= across
                        else (task // across, task % across)
                    )
                    weights = w, k * shape.own_columns + column * step, shape.own_columns
                    if together:
                        if column != there:
                            _bring_together(weights, panel, terms, shape.own_columns - column * step, width)
                            there = column
                        weights = panel, 0, step
                    _rows(x, weights, y, (row, column * step), terms, shape, block, width)
                    if terms[1] == shape.depth:
                        rows = row * (len(block) // len(width)), (row + 1) * (len(block) // len(width))
                        _finish(y, rows, (column * step, step), b, floor, shape)
            piece = next_piece(taken)


@compiled
def _bring_together(
    weights: tuple[Floats, int, int], panel: Floats, terms: tuple[int, int], left: int, width: Size
) -> None:
    """Copy the rows of some terms, as wide as a block, one behind the other; the next ones are fetched.

    Where fewer columns are ``left`` there are zeros behind them.
    """
    (w, start, step), wide = weights, len(width) * lanes_of(panel)
    for k in range(terms[1] - terms[0]):
        fetch(w, start + (k + TERMS) * step)
        if left >= wide:
            store_block(load_block(width, w, start + k * step, step, width), panel, k * wide, wide, width)
            continue
        for c in range(0, wide, lanes_of(panel)):
            store(panel, k * wide + c, load_up_to(w, start + k * step + c, left - c))


@compiled
def _rows(
    x: Floats,
    weights: tuple[Floats, int, int],
    y: Floats,
    corner: tuple[int, int],
    terms: tuple[int, int],
    shape: DenseProduct,
    block: Size,
    width: Size,
) -> None:
    """Add some terms to a block; rows that fill none are made one by one.

    ``weights`` are an array, where the block's first ones are, and the step to those of the next term.
    """
    (row, column), height = corner, len(block) // len(width)
    if (row + 1) * height <= shape.rows:
        _block(x, weights, y, (row * height, column), terms, shape, block, width)
    else:
        for single in range(row * height, shape.rows):
            _block(x, weights, y, (single, column), terms, shape, width, width)


@compiled
def _block(
    x: Floats,
    weights: tuple[Floats, int, int],
    y: Floats,
    corner: tuple[int, int],
    terms: tuple[int, int],
    shape: DenseProduct,
    block: Size,
    width: Size,
) -> None:
    (row, column), (first, stop), (w, start, step) = corner, terms, weights
    to = row * shape.columns + column
    sums = zeros(y, block) if first == 0 else load_block(block, y, to, shape.columns, width)
    for k in range(first, stop):
        at = row * shape.row_step + k * shape.depth_step
        sums = outer(sums, x, at, shape.row_step, ONE, w, start + (k - first) * step, width)
    store_block(sums, y, to, shape.columns, width)


@compiled
def _finish(
    y: Floats, rows: tuple[int, int], columns: tuple[int, int], b: Floats, floor: float, shape: DenseProduct
) -> None:
    """Add the bias to a block's columns, where there is one, and let nothing fall below the floor."""
    (first, last), (column, wide) = rows, columns
    for row in range(first, min(last, shape.rows)):
        for c in range(column, min(column + wide, b.size), lanes_of(y)):
            at = row * shape.columns + c
            store(y, at, at_least(add(load(y, at), load_up_to(b, c, b.size - c)), splat(floor)))


@compiled(parallel=True)
def multiply_groups(
    x: Floats,
    w: Floats,
    y: Floats,
    bounds: Array,
    merges: Array,
    shape: DenseProduct,
    block: Size,
    width: Size,
    past: bool,
    workers: int,
) -> None:
    """Fill y (nodes, rows, columns) with the products over the terms of each group, added up as a tree.

    Rows are neighbours in x: of ``shape`` the row's step is one. Here w has whole blocks of columns, and y
    the own ones.
    """
    height, step = len(block) // len(width), len(width) * lanes_of(y)
    down, taken = -(-shape.rows // height), tickets()
    pieces = min(PIECES * workers, down)
    for _worker in prange(workers):
        target = y, past
        panel, rest = np.empty(shape.depth * height, x.dtype), merges.size * height * step
        scratch = panel, np.empty(rest, y.dtype), np.empty(rest, y.dtype)
        piece = next_piece(taken)
        while piece < pieces:
            for task in range(piece * down // pieces, (piece + 1) * down // pieces):
                row = task * height
                if not past:
                    fetch_run(y, (row + height) * shape.own_columns, height * shape.own_columns)
                if row + height <= shape.rows:
                    _group_rows(x, w, target, scratch, row, (bounds, merges), shape, (block, width))
                else:
                    for single in range(row, shape.rows):
                        _group_rows(x, w, target, scratch, single, (bounds, merges), shape, (width, width))
            piece = next_piece(taken)
        end_streams()


@compiled
def _group_rows(
    x: Floats,
    w: Floats,
    target: tuple[Floats, bool],
    scratch: tuple[Floats, Floats, Floats],
    row: int,
    groups: tuple[Array, Array],
    shape: DenseProduct,
    sizes: tuple[Size, Size],
) -> None:
    """Fill all blocks of some rows, whose terms are brought together as (depth, rows) first.

    ``target`` is an array, and whether it is written past the caches.
    """
    (panel, sums, edge), (block, width) = scratch, sizes
    height = len(block) // len(width)
    for k in range(shape.depth):
        copy_run(x, row + k * shape.depth_step, panel, k * height, height)
    for column in range(0, shape.columns, len(width) * lanes_of(x)):
        _group_block(panel, w, target, (sums, edge), (row, column), groups, shape, sizes)


@compiled
def _group_block(
    panel: Floats,
    w: Floats,
    target: tuple[Floats, bool],
    scratch: tuple[Floats, Floats],
    corner: tuple[int, int],
    groups: tuple[Array, Array],
    shape: DenseProduct,
    sizes: tuple[Size, Size],
) -> None:
    """Fill a block of the result; of ``scratch`` the first holds sums still to be added, behind each other.

    The newest group's sum stays in registers, and so does what it is added to. A block that is wider than
    what is left of y's columns goes to the second, of which they are copied.
    """
    (row, column), (bounds, merges), (block, width) = corner, groups, sizes
    (y, past), (sums, edge) = target, scratch
    height, wide, top = len(block) // len(width), len(width) * lanes_of(y), 0
    whole, left, origin = height * wide, shape.own_columns - column, row * shape.own_columns + column
    inside, nodes = left >= wide, shape.rows * shape.own_columns
    made, to, node, step = (y, origin, nodes, shape.own_columns) if inside else (edge, 0, whole, wide)
    for group in range(merges.size):
        total = zeros(y, block)
        for k in range(bounds[group], bounds[group + 1]):
            total = outer(total, panel, k * height, 1, ONE, w, k * shape.columns + column, width)
        for _merge in range(merges[group]):
            top -= 1
            total = add_blocks(load_block(block, sums, top * whole, wide, width), total)
        if group < merges.size - 1:
            store_block(total, sums, top * whole, wide, width)
            top += 1
        else:
            put_block(total, made, top * node + to, step, width, past and inside)
    for k in range(top):
        total = load_block(block, sums, k * whole, wide, width)
        put_block(total, made, k * node + to, step, width, past and inside)
    if not inside:
        for k in range(top + 1):
            for r in range(height):
                # a loop of its own: what is called in two places is no part of its caller any more
                for c in range(left):
                    y[k * nodes + origin + r * shape.own_columns + c] = edge[k * whole + r * wide + c]
