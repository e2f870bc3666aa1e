"""Logits of every pixel of a tile, with all work that neighbouring patches share done once."""

from __future__ import annotations

import numpy as np

from mpmm.mapping.chain import Chain
from mpmm.mapping.layout import TileLayout, fragment_of, interleaved
from mpmm.network.parameter import Array
from mpmm.network.spec import StreamSpec


class TileNetwork:
    """A network for tiles of one size.

    Parameters
    ----------
    layout
        The tiles' size and how they are computed.
    tiles
        How many tiles may come at once.
    threads
        How many compute.
    """

    def __init__(self, layout: TileLayout, tiles: int, threads: int) -> None:
        dtype = layout.spec.dtype
        self.layout = layout
        self.inputs: dict[str, Array] = {
            stream.name: np.empty(
                (tiles, stream.bands, layout.rows_read(stream), layout.columns_read(stream)), dtype
            )
            for stream in layout.spec.streams
        }
        self._streams = {name: Chain(links, tiles, threads, dtype) for name, links in layout.streams.items()}
        self._fusion = Chain(layout.fusion, tiles, threads, dtype)
        steps = layout.steps[layout.spec.streams[0].name] if layout.together else ()
        self._steps = steps
        high, wide, fragments = fragment_of(layout.rows, layout.columns, steps)
        features = sum(stream.features for stream in layout.spec.streams)
        self._features: Array = np.empty((tiles * fragments, high, wide, features), dtype)

    def logits(self, tiles: int) -> Array:
        """(tiles, rows, columns, classes): logits of the first tiles of `inputs`, which hold pixels.

        ``inputs[name]`` is (tiles, bands, rows + size - 1, columns + size - 1): each tile with half a patch
        more on each side.
        """
        x, start = self._features, 0
        for stream in self.layout.spec.streams:
            features = self._stream(stream, tiles)
            x[: len(features), ..., start : start + stream.features] = features
            start += stream.features
        logits = self._fusion.run(x[: len(features), None])
        return interleaved(logits[:, 0], self._steps)

    def _stream(self, stream: StreamSpec, tiles: int) -> Array:
        """(fragments, rows, columns, features) of one stream."""
        y = self._streams[stream.name].run(self.inputs[stream.name][:tiles, ..., None])
        features = y[:, 0] if stream.dense else _volumes(y, stream.volumes()[-1][1:])
        return features if self.layout.together else interleaved(features, self.layout.steps[stream.name])


def _volumes(y: Array, size: tuple[int, int]) -> Array:
    """What is left of each patch, flat: (n, bands, rows, columns, channels) -> (n, .., .., features)."""
    volumes = np.lib.stride_tricks.sliding_window_view(y, size, axis=(2, 3))
    # bands, rows, columns, channels, as a patch is flattened
    ordered = volumes.transpose(0, 2, 3, 1, 5, 6, 4)
    return ordered.reshape(*ordered.shape[:3], -1)
