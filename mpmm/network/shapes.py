"""Shape arithmetic of convolutions and pools, with errors that name the layer."""

from __future__ import annotations

from mpmm.errors import NetworkError

Volume = tuple[int, int, int]

AXES = ("band", "row", "column")


def convolved(volume: Volume, kernel: Volume, stride: Volume, padding: tuple[str, ...], layer: str) -> Volume:
    """Bands, rows, columns after a convolution: ``floor((n - k) / s) + 1``, or ``ceil(n / s)`` when "same".

    Raises
    ------
    NetworkError
        The kernel is larger than what is left of an axis; the message names ``layer`` and the axis.
    """
    for axis, left, needed, mode in zip(AXES, volume, kernel, padding, strict=True):
        if mode == "valid" and left < needed:
            raise _too_small(layer, axis, left, "kernel", needed)
    depth, rows, columns = (
        -(-length // step) if mode == "same" else (length - size) // step + 1
        for length, size, step, mode in zip(volume, kernel, stride, padding, strict=True)
    )
    return depth, rows, columns


def pooled(volume: Volume, window: Volume, layer: str) -> Volume:
    """Bands, rows, columns after a pool strided by its window; an incomplete last window is left out."""
    for axis, left, needed in zip(AXES, volume, window, strict=True):
        if left < needed:
            raise _too_small(layer, axis, left, "window", needed)
    depth, rows, columns = (length // size for length, size in zip(volume, window, strict=True))
    return depth, rows, columns


def _too_small(layer: str, axis: str, left: int, extent: str, needed: int) -> NetworkError:
    return NetworkError(
        f"{layer}: {left} {axis}{'' if left == 1 else 's'} left, {extent} needs {needed}",
        f"use a smaller {extent} or earlier pools, pad with 'same', or give the stream more {axis}s",
    )
