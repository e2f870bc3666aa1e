"""Logits of every pixel of a window: shared work done once, or patch by patch where that is not exact."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from typing import Protocol

import numpy as np
from mpmm_kernels.runtime import set_threads, side_by_side
from numpy.typing import NDArray

from mpmm.mapping.layer_stages import NetworkStages, is_exact, pads
from mpmm.mapping.pixels import ScenePixels
from mpmm.mapping.tile import TileNetwork
from mpmm.mapping.tiling import choose_tile
from mpmm.mapping.windows import Window, tiles_of
from mpmm.network import EVALUATION, Array, Network, StreamSpec

# patches computed at once where pixels do not share work
BATCH = 64
# seconds between two looks at what else there is to do while tiles are computed: other ranks' windows; a look
# costs 0.1 ms, and ranks ask for a window while they compute another
LOOK = 0.03
Mask = NDArray[np.bool_]
# called again and again with the pixels done since the last call
Done = Callable[[int], None]


class Classifier(Protocol):
    """A way to compute the logits of every pixel of a window."""

    def describe(self) -> str:
        """How the logits are computed, in a few words."""

    def warm_up(self) -> None:
        """Load or compile every kernel, before the first window."""

    def logits(self, window: Window, usable: Mask, out: Array, done: Done) -> None:
        """Compute the logits of a window.

        Parameters
        ----------
        window
            Pixels of the scene.
        usable
            (height, width): the pixels to classify.
        out
            (height, width, classes): filled where ``usable``; elsewhere it may hold anything.
        done
            Called with the pixels done since the last call.
        """


def classifier_for(
    network: Network, scene: ScenePixels, window: tuple[int, int], threads: int, limit: int
) -> Classifier:
    """The fastest classifier that gives the same as cutting a patch around every pixel.

    Parameters
    ----------
    network
        All of it, with its trained parameters.
    scene
        The normalised pixels of every modality.
    window
        Rows and columns that tiles have to fit into: those of the largest window to come, or of its half.
    threads
        Number of threads that compute.
    limit
        Bytes that the arrays may take.
    """
    if not is_exact(network):
        return PatchClassifier(network, scene)
    return TileClassifier(network, scene, window, threads, limit)


class TileClassifier:
    """Classifies tile by tile; as many at once as there are threads, each by a thread of its own.

    Threads that share a tile wait for each other behind each layer: measured, two then do 1.7 times as much
    as one, and each by itself 2.0 times. Only where kernels must not run side by side do they share one.

    Raises
    ------
    PatchError
        The limit is too low for any tile.
    """

    def __init__(
        self, network: Network, scene: ScenePixels, window: tuple[int, int], threads: int, limit: int
    ) -> None:
        stages = NetworkStages.of(network)
        self._tiles = threads if side_by_side() else 1
        self.plan = choose_tile(network.spec, stages, window, self._tiles, limit)
        self._networks = [TileNetwork(self.plan) for _ in range(self._tiles)]
        self._scene = scene
        self._pool = ThreadPoolExecutor(
            self._tiles, initializer=set_threads, initargs=(threads // self._tiles,)
        )

    def describe(self) -> str:
        """Size, number, cost and memory of the tiles."""
        rows, columns, size = self.plan.rows, self.plan.columns, self.plan.bytes * self._tiles
        work = self.plan.operations / (rows * columns) / 1e6
        return (
            f"exact, shared work done once: {self._tiles} tiles of {rows} x {columns} pixels at a time, "
            f"{work:.1f} MFLOP a pixel, {size / 2**20:,.0f} MiB"
        )

    def warm_up(self) -> None:
        """Compute a tile of zeros."""
        for array in self._networks[0].inputs.values():
            array[:] = 0
        self._pool.submit(self._networks[0].logits).result()

    def logits(self, window: Window, usable: Mask, out: Array, done: Done) -> None:
        """Fill ``out`` tile by tile; tiles without a usable pixel are left out."""
        tiles = tiles_of(window, self.plan.rows, self.plan.columns)
        needed = [tile for tile in tiles if usable[tile.of(window)].any()]
        done(usable.size - sum(usable[tile.of(window)].size for tile in needed))

        def _fill(tile: Window) -> int:
            part = out[tile.of(window)]
            part[...] = self._compute(tile)[: part.shape[0], : part.shape[1]]
            return int(usable[tile.of(window)].size)

        pending = {self._pool.submit(_fill, tile) for tile in needed}
        try:
            while pending:
                finished, pending = wait(pending, LOOK, FIRST_COMPLETED)
                done(sum(future.result() for future in finished))
        finally:
            for future in pending:
                future.cancel()

    def _compute(self, tile: Window) -> Array:
        """Logits of a tile, by a network that no other thread uses now."""
        network = self._networks.pop()
        try:
            for name, array in network.inputs.items():
                self._scene.read(name, tile, array)
            return network.logits()
        finally:
            self._networks.append(network)


class PatchClassifier:
    """Classifies patch by patch, for networks that `is_exact` refuses.

    Most put zeros around the rows or columns of a patch: what these touch differs from patch to patch, so
    there is no work to share.
    """

    def __init__(self, network: Network, scene: ScenePixels) -> None:
        self._network, self._scene = network, scene

    def describe(self) -> str:
        """Why it takes long, and the cost."""
        work = self._network.cost().flops_forward / 1e6
        reason = 'the network pads rows or columns ("same")'
        if not pads(self._network):
            reason = "it joins what came by other steps over rows and columns, or pools bands by themselves"
        return (
            f"patch by patch, since {reason}, so that neighbouring patches share no work: "
            f"{work:.1f} MFLOP a pixel"
        )

    def warm_up(self) -> None:
        """Compute a patch of zeros."""
        spec = self._network.spec
        zeros = {
            stream.name: np.zeros((1, stream.bands, stream.size, stream.size), spec.dtype)
            for stream in spec.streams
        }
        self._network.forward(zeros, EVALUATION)

    def logits(self, window: Window, usable: Mask, out: Array, done: Done) -> None:
        """Fill ``out`` patch by patch, in batches of `BATCH`."""
        views = {stream.name: self._views(stream, window) for stream in self._network.spec.streams}
        rows, columns = np.nonzero(usable)
        done(usable.size - len(rows))
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH], columns[first : first + BATCH]
            inputs = {name: view[batch] for name, view in views.items()}
            out[batch] = self._network.forward(inputs, EVALUATION)
            done(len(batch[0]))

    def _views(self, stream: StreamSpec, window: Window) -> Array:
        """(height, width, bands, size, size): the patch around each pixel, without copying any."""
        more = stream.size - 1
        pixels = np.empty((stream.bands, window.height + more, window.width + more), self._network.spec.dtype)
        self._scene.read(stream.name, window, pixels)
        patches = np.lib.stride_tricks.sliding_window_view(pixels, (stream.size, stream.size), axis=(1, 2))
        return patches.transpose(1, 2, 0, 3, 4)
