"""Cutting a batch of patches out of a scene, normalised, flipped and turned on the way."""

from typing import TypeAlias

from mpmm_kernels._arrays import Array
from mpmm_kernels._compile import compiled
from mpmm_kernels._tile import LANES, fetch, move_tile

# first row and column of a run of pixels, and the steps down and right from one to the next
Line: TypeAlias = tuple[int, int, int, int]

# numbers in a cache line of 64 bytes, of the four-byte numbers that scenes hold
LINE = 16


@compiled
def gather(values: Array, centres: Array, codes: Array, linear: Array, patches: Array) -> None:
    """Cut patches: ``patches[n, b, i, j] = (values[r, c, b] - linear[0, b]) * linear[1, b]``.

    One thread, so that it can run beside a training step. Bounds are not checked.

    Parameters
    ----------
    values
        The scene, ``(rows, columns, bands)``, contiguous.
    centres
        Row and column of each patch's middle, ``(n, 2)``; every patch lies within the scene.
    codes
        How each patch is laid, ``(n,)``: bits 0 and 1 are quarter turns counter-clockwise, bit 2 is a flip
        left to right before them, so that a patch equals ``rot90(fliplr(window), turns)``.
    linear
        Shift and factor of each band, ``(2, bands)``, contiguous, of the scene's type.
    patches
        Filled: ``(n, bands, size, size)``, contiguous, of the scene's type.
    """
    count, bands, size, _ = patches.shape
    half = size // 2
    tiled = bands >= LANES and size >= LANES
    for n in range(count):
        top, left = centres[n, 0] - half, centres[n, 1] - half
        ahead = min(n + 1, count - 1)
        for i in range(size):
            _fetch_run(values, centres[ahead, 0] - half + i, centres[ahead, 1] - half, size)
            row, column, down, right = _line(i, size, codes[n])
            line = (top + row, left + column, down, right)
            if tiled:
                _move_tiles(values, line, linear, patches[n], i)
            else:
                _move_pixels(values, line, linear, patches[n], i)


@compiled
def _line(i: int, size: int, code: int) -> Line:
    """Where row i of a patch starts in its window, and the step down and right from pixel to pixel."""
    turns, last = code & 3, size - 1
    row, column, down, right = i, 0, 0, 1
    if turns == 1:
        row, column, down, right = 0, last - i, 1, 0
    elif turns == 2:
        row, column, down, right = last - i, last, 0, -1
    elif turns == 3:
        row, column, down, right = last, i, -1, 0
    if code & 4:
        column, right = last - column, -right
    return row, column, down, right


@compiled
def _move_pixels(values: Array, line: Line, linear: Array, patch: Array, i: int) -> None:
    """Fill row i of a patch, number by number."""
    row, column, down, right = line
    for b in range(patch.shape[0]):
        shift, factor = linear[0, b], linear[1, b]
        for j in range(patch.shape[2]):
            patch[b, i, j] = (values[row + j * down, column + j * right, b] - shift) * factor


@compiled
def _move_tiles(values: Array, line: Line, linear: Array, patch: Array, i: int) -> None:
    """Fill row i of a patch, tile by tile; the last tiles overlap the ones before."""
    row, column, down, right = line
    bands, size, area = patch.shape[0], patch.shape[2], patch.shape[1] * patch.shape[2]
    step = (down * values.shape[1] + right) * bands
    start = (row * values.shape[1] + column) * bands
    source, norm, target = values.reshape(-1), linear.reshape(-1), patch.reshape(-1)
    for pixel in range(0, size, LANES):
        j = min(pixel, size - LANES)
        for first in range(0, bands, LANES):
            b = min(first, bands - LANES)
            begin = b * area + i * size + j
            move_tile(source, start + j * step + b, step, norm, b, bands, target, begin, area)


@compiled
def _fetch_run(values: Array, row: int, column: int, size: int) -> None:
    """Ask for the pixels of one window row; misses of the address translation cost most, and overlap so."""
    bands = values.shape[2]
    start = (row * values.shape[1] + column) * bands
    source = values.reshape(-1)
    for place in range(start, start + size * bands, LINE):
        fetch(source, place)
