"""Cutting a batch of patches out of a scene, normalised, flipped and rotated on the way."""

from typing import TypeAlias

import numpy as np

from mpmm_kernels.arrays import Array, read_only
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import LANES, fetch, fetch_run, move_tile

# first row and column of a run of pixels, and the steps down and right from one to the next
Line: TypeAlias = tuple[int, int, int, int]


@compiled
def gather_patches(values: Array, centres: Array, codes: Array, linear: Array, patches: Array) -> None:
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
    half, columns = size // 2, values.shape[1]
    source, norm = values.reshape(-1), linear.reshape(-1)
    tiled = bands >= LANES and size >= LANES
    for n in range(count):
        top, left = centres[n, 0] - half, centres[n, 1] - half
        following = min(n + 1, count - 1)
        ahead = ((centres[following, 0] - half) * columns + centres[following, 1] - half) * bands
        _fetch_ends(source, ahead, columns * bands, size, bands)
        for i in range(size):
            fetch_run(source, ahead + i * columns * bands, size * bands)
            row, column, down, right = _line(i, size, codes[n])
            start = ((top + row) * columns + left + column) * bands
            step = (down * columns + right) * bands
            if tiled:
                _move_tiles(source, start, step, norm, patches[n], i)
            else:
                _move_pixels(source, start, step, norm, patches[n], i)


def gather_none() -> None:
    """Load or compile what cuts patches out of scenes, which are read-only; cut none."""
    values = read_only(np.zeros((1, 1, 1)))
    centres, codes, linear = np.zeros((0, 2), np.int32), np.zeros(0, np.uint8), np.ones((2, 1), np.float32)
    gather_patches(values, centres, codes, linear, np.zeros((0, 1, 1, 1), np.float32))


@compiled
def _line(i: int, size: int, code: int) -> Line:
    """Where row i of a patch starts in its window, and the step down and right from pixel to pixel."""
    loop, last = code & 3, size - 1
    row, column, down, right = i, 0, 0, 1
    if loop == 1:
        row, column, down, right = 0, last - i, 1, 0
    elif loop == 2:
        row, column, down, right = last - i, last, 0, -1
    elif loop == 3:
        row, column, down, right = last, i, -1, 0
    if code & 4:
        column, right = last - column, -right
    return row, column, down, right


@compiled
def _move_pixels(source: Array, start: int, step: int, norm: Array, patch: Array, i: int) -> None:
    """Fill row i of a patch, number by number."""
    bands, size = patch.shape[0], patch.shape[2]
    for b in range(bands):
        shift, factor = norm[b], norm[bands + b]
        for j in range(size):
            patch[b, i, j] = (source[start + j * step + b] - shift) * factor


@compiled
def _move_tiles(source: Array, start: int, step: int, norm: Array, patch: Array, i: int) -> None:
    """Fill row i of a patch, tile by tile; the last tiles overlap the ones before."""
    bands, size, area = patch.shape[0], patch.shape[2], patch.shape[1] * patch.shape[2]
    target = patch.reshape(-1)
    for pixel in range(0, size, LANES):
        j = min(pixel, size - LANES)
        for first in range(0, bands, LANES):
            b = min(first, bands - LANES)
            run, to = (start + j * step + b, step), (b * area + i * size + j, area)
            move_tile(source, run, norm, (b, bands), target, to)


@compiled
def _fetch_ends(source: Array, start: int, pitch: int, size: int, bands: int) -> None:
    """Ask for both ends of each row of a window, so that their addresses are looked up side by side."""
    for offset in range(start, start + size * pitch, pitch):
        fetch(source, offset)
        fetch(source, offset + size * bands - 1)
