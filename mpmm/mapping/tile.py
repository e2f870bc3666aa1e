"""Logits of every pixel of a tile, with all work that neighbouring patches share done once."""

from __future__ import annotations

import numpy as np

from mpmm.mapping.chain import Chain
from mpmm.mapping.tile_plan import TilePlan, fragment_of, interleaved
from mpmm.network import Array, NetworkSpec, StreamSpec


class TileNetwork:
    """A network for tiles of one size.

    Parameters
    ----------
    plan
        The tile's size and how it is computed.
    """

    def __init__(self, plan: TilePlan) -> None:
        spec = plan.spec
        self.plan = plan
        self.inputs: dict[str, Array] = {
            stream.name: np.empty(
                (stream.bands, plan.rows_read(stream), plan.columns_read(stream)), spec.dtype
            )
            for stream in spec.streams
        }
        self._steps = plan.steps[spec.streams[0].name] if plan.together else ()
        high, wide, fragments = fragment_of(plan.rows, plan.columns, self._steps)
        features = sum(stream.features for stream in spec.streams)
        self._features: Array = np.empty((fragments, high, wide, features), spec.dtype)
        self._streams = {
            stream.name: self._chain(stream, start)
            for stream, start in zip(spec.streams, _starts(spec), strict=True)
        }
        self._fusion = Chain(plan.fusion, spec.dtype)

    def logits(self) -> Array:
        """(rows, columns, classes): logits of the tile whose pixels `inputs` hold.

        ``inputs[name]`` is (bands, rows + size - 1, columns + size - 1): the tile with half a patch more on
        each side.
        """
        spec = self.plan.spec
        for stream, start in zip(spec.streams, _starts(spec), strict=True):
            y = self._streams[stream.name].run(self.inputs[stream.name][None, ..., None])
            if not self._in_place(stream):
                self._features[..., start : start + stream.features] = self._ordered(stream, y)
        logits = interleaved(self._fusion.run(self._features[:, None])[:, 0], self._steps)
        return logits.reshape(self.plan.rows, self.plan.columns, spec.classes)

    def _chain(self, stream: StreamSpec, start: int) -> Chain:
        stages, dtype = self.plan.streams[stream.name], self.plan.spec.dtype
        return Chain(stages, dtype, self._features, start) if self._in_place(stream) else Chain(stages, dtype)

    def _in_place(self, stream: StreamSpec) -> bool:
        """Whether the stream's last layer leaves its units where the fusion reads them."""
        return bool(stream.dense) and self.plan.together

    def _ordered(self, stream: StreamSpec, y: Array) -> Array:
        """(fragments, rows, columns, features) of one stream."""
        features = y[:, 0] if stream.dense else _volumes(y, stream.volumes()[-1][1:])
        return features if self.plan.together else interleaved(features, self.plan.steps[stream.name])


def _starts(spec: NetworkSpec) -> list[int]:
    """Where each stream's features begin among all features."""
    return [0, *np.cumsum([stream.features for stream in spec.streams])[:-1].tolist()]


def _volumes(y: Array, size: tuple[int, int]) -> Array:
    """What is left of each patch, flat: (n, bands, rows, columns, channels) -> (n, .., .., features)."""
    volumes = np.lib.stride_tricks.sliding_window_view(y, size, axis=(2, 3))
    # bands, rows, columns, channels, as a patch is flattened
    ordered = volumes.transpose(0, 2, 3, 1, 5, 6, 4)
    return ordered.reshape(*ordered.shape[:3], -1)
