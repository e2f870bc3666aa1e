"""Logits of every pixel of a tile, with all work that neighbouring patches share done once."""

from __future__ import annotations

import numpy as np

from mpmm.mapping.chain import Chain
from mpmm.mapping.tile_plan import TilePlan, fragment_of, interleaved
from mpmm.network import Array


class TileNetwork:
    """A network for tiles of one size, with arrays of its own.

    Parameters
    ----------
    plan
        The tile's size and how it is computed.

    Attributes
    ----------
    inputs
        (bands, rows + size - 1, columns + size - 1) by stream: the tile with half a patch more on each side.
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
        self._steps = plan.fusion_steps
        high, wide, fragments = fragment_of(plan.rows, plan.columns, self._steps)
        self._features: Array = np.empty((fragments, high, wide, plan.features), spec.dtype)
        # where each stream's features begin among all features
        lengths = [chain.features for chain in plan.stages.streams.values()]
        starts = [0, *np.cumsum(lengths)[:-1].tolist()]
        self._starts = dict(zip(plan.streams, starts, strict=True))
        self._streams = {name: self._chain(name) for name in plan.streams}
        self._fusion = Chain(plan.fusion, spec.dtype)

    def logits(self) -> Array:
        """(rows, columns, classes): logits of the tile whose pixels `inputs` hold."""
        for name, chain in self._streams.items():
            y = chain.run(self.inputs[name][None, ..., None])
            if not self._in_place(name):
                features, start = self._ordered(name, y), self._starts[name]
                self._features[..., start : start + features.shape[-1]] = features
        logits = interleaved(self._fusion.run(self._features[:, None])[:, 0], self._steps)
        return logits.reshape(self.plan.rows, self.plan.columns, -1)

    def _chain(self, stream: str) -> Chain:
        stages, dtype = self.plan.streams[stream], self.plan.spec.dtype
        if self._in_place(stream):
            return Chain(stages, dtype, self._features, self._starts[stream])
        return Chain(stages, dtype)

    def _in_place(self, stream: str) -> bool:
        """Whether the stream's last layer leaves its units where the fusion reads them."""
        return self.plan.stages.streams[stream].ends_dense and self.plan.together

    def _ordered(self, stream: str, y: Array) -> Array:
        """(fragments, rows, columns, features) of one stream."""
        chain = self.plan.stages.streams[stream]
        features = y[:, 0] if chain.ends_dense else _volumes(y, chain.volume[1:3])
        return features if self.plan.together else interleaved(features, chain.steps)


def _volumes(y: Array, size: tuple[int, int]) -> Array:
    """What is left of each patch, flat: (n, bands, rows, columns, channels) -> (n, .., .., features)."""
    volumes = np.lib.stride_tricks.sliding_window_view(y, size, axis=(2, 3))
    # bands, rows, columns, channels, as a patch is flattened
    ordered = volumes.transpose(0, 2, 3, 1, 5, 6, 4)
    return ordered.reshape(*ordered.shape[:3], -1)
