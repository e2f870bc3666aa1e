"""Weights as kernels read them: filters in whole vectors, by parts of them, or turned for a gradient."""

from numba import prange

from mpmm_kernels.arrays import Floats, flat
from mpmm_kernels.runtime import CallsByType, compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import ONE, Size, copy_run, lanes, load_block, size, store_block, transposed

# Rows of weights that a thread takes at a time
_ROWS = 64


def packed(w: Floats, room: Floats, span: int) -> Floats:
    """Weights as kernels read them, flat: as they are where they lie so, else put into ``room``.

    What only fills up vectors stays as it is there.

    Parameters
    ----------
    room
        For (parts of the filters, terms, filters of a part).
    span
        Filters of a part.
    """
    if w.shape[-1] == span:
        return flat(w)
    with threads_for(w.size) as workers:
        _packing.of(w.dtype)(flat(w), flat(room), w.shape[-1], span, workers)
    return flat(room)


@compiled(parallel=True)
def _pack_rows(w: Floats, packed: Floats, filters: int, span: int, workers: int) -> None:
    """Put rows of ``span`` filters behind each other: a part of the filters of all terms, then the next."""
    terms, parts, taken = w.size // filters, -(-filters // span), tickets()
    pieces = -(-terms // _ROWS)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            for term in range(piece * _ROWS, min((piece + 1) * _ROWS, terms)):
                for part in range(parts):
                    count = min(span, filters - part * span)
                    copy_run(w, term * filters + part * span, packed, (part * terms + term) * span, count)
            piece = next_piece(taken)


def flip(w: Floats, flipped: Floats) -> None:
    """Weights of the flipped kernel, by which the input's gradient is made: filters, then channels.

    Parameters
    ----------
    w
        (depth, rows, columns, channels, filters).
    flipped
        Room for the same taps from the last to the first, (taps, filters, channels), both in whole vectors.
    """
    taps, (channels, filters) = w.shape[0] * w.shape[1] * w.shape[2], w.shape[3:]
    with threads_for(w.size) as workers:
        shape = taps, channels, filters
        room = flipped.shape[-2:]
        _flipping.of(w.dtype)(flat(w), flat(flipped), shape, *room, size(lanes(w.dtype)), workers)


@compiled(parallel=True)
def _flip_taps(
    w: Floats,
    flipped: Floats,
    shape: tuple[int, int, int],
    filters: int,
    channels: int,
    square: Size,
    workers: int,
) -> None:
    """Turn each tap's (channels, filters), a square of vectors at a time."""
    (taps, own_channels, own_filters), taken = shape, tickets()
    across = -(-own_filters // len(square))
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < taps * across:
            tap, first = piece // across, piece % across * len(square)
            source, target = tap * own_channels * own_filters, (taps - 1 - tap) * filters * channels
            for c in range(0, own_channels, len(square)):
                at, to = source + c * own_filters + first, target + first * channels + c
                high, wide = min(len(square), own_channels - c), min(len(square), own_filters - first)
                if high == len(square) and wide == len(square):
                    rows = load_block(square, w, at, own_filters, ONE)
                    store_block(transposed(rows), flipped, to, channels, ONE)
                    continue
                for k in range(high):
                    for m in range(wide):
                        flipped[to + m * channels + k] = w[at + k * own_filters + m]
            piece = next_piece(taken)


_packing, _flipping = CallsByType(_pack_rows), CallsByType(_flip_taps)
