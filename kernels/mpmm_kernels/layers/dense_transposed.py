"""Products with transposed weights, for the gradients of dense layers' inputs; each is one sum in order."""

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.layers.dense_kernels import DenseProduct
from mpmm_kernels.runtime import compiled, next_piece, tickets
from mpmm_kernels.vector import (
    ONE,
    Size,
    fetch_run,
    lanes_of,
    load_block,
    outer,
    store_block,
    transposed,
    zeros,
)


@compiled(parallel=True)
def multiply_transposed(
    x: Floats, w: Floats, y: Floats, shape: DenseProduct, block: Size, width: Size, square: Size, workers: int
) -> None:
    """Fill y = x w^T, w being (columns, depth): a panel of w at a time is transposed and multiplied.

    While it is, the worker's next one is fetched, a part of it before each block.
    """
    height, step = len(block) // len(width), len(width) * lanes_of(y)
    panels, taken = shape.columns // step, tickets()
    for _worker in prange(workers):
        panel = np.empty(shape.depth * step, w.dtype)
        task = next_piece(taken)
        while task < panels:
            _transpose_panel(w, task * step * shape.depth, panel, shape.depth, step, square)
            whole, soon = shape.rows // height * height, (task + workers) * step * shape.depth
            share = step * shape.depth // max(1, whole // height)
            for row in range(0, whole, height):
                fetch_run(w, soon + row // height * share, share)
                _panel(x, panel, y, row, task * step, shape, block, width)
            for row in range(whole, shape.rows):
                _panel(x, panel, y, row, task * step, shape, width, width)
            task = next_piece(taken)


@compiled
def _panel(
    x: Floats, panel: Floats, y: Floats, row: int, column: int, shape: DenseProduct, block: Size, width: Size
) -> None:
    sums, step = zeros(y, block), len(width) * lanes_of(y)
    for k in range(shape.depth):
        at = row * shape.row_step + k * shape.depth_step
        sums = outer(sums, x, at, shape.row_step, ONE, panel, k * step, width)
    store_block(sums, y, row * shape.columns + column, shape.columns, width)


@compiled
def _transpose_panel(w: Floats, start: int, panel: Floats, depth: int, step: int, square: Size) -> None:
    """The panel (depth, step) of w (step, depth), by squares of as many vectors as a vector has elements."""
    whole = depth - depth % len(square)
    for k in range(0, whole, len(square)):
        for j in range(0, step, len(square)):
            rows = load_block(square, w, start + j * depth + k, depth, ONE)
            store_block(transposed(rows), panel, k * step + j, step, ONE)
    for j in range(step):
        for k in range(whole, depth):
            panel[k * step + j] = w[start + j * depth + k]
