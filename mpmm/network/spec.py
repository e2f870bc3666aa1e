"""What a network is made of, as frozen dataclasses: streams, and the fusion of their features."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mpmm.errors import NetworkError
from mpmm.network import checks, wiring
from mpmm.network.block_spec import BlockSpec, DenseSpec, JoinSpec
from mpmm.network.shapes import Volume
from mpmm.network.vocabulary import DType, Kernels, Start


@dataclass(frozen=True)
class StreamSpec:
    """The layers of one modality: blocks, then flatten, then dense layers.

    Attributes
    ----------
    name
        The modality that the stream reads.
    bands, size
        Its patches have the shape (bands, size, size).
    blocks, dense
        In forward order; either may be empty. A block reads the one before it, or those that it names; the
        dense layers read the last one.

    Raises
    ------
    NetworkError
        A value is out of range, or a layer does not fit what the layers before leave of the patch.
    """

    name: str
    bands: int
    size: int
    blocks: tuple[BlockSpec | JoinSpec, ...]
    dense: tuple[DenseSpec, ...] = ()

    def __post_init__(self) -> None:
        checks.check_name(self.name)
        checks.check_patch(self.name, self.bands, self.size)
        for index, block in enumerate(self.blocks, 1):
            checks.check_block(block, index, self.name)
        for index, dense in enumerate(self.dense, 1):
            checks.check_dense(dense, f"dense{index} of stream {self.name}")
        self.shapes()

    def sources(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the blocks that each block reads, counted from 1; 0 is the patch."""
        return wiring.sources_of(self.blocks, self.name)

    def shapes(self) -> tuple[wiring.Shape, ...]:
        """(bands, rows, columns, channels) of the patch, then after each block."""
        return wiring.shapes_of(self.blocks, (self.bands, self.size, self.size), self.name)

    def volumes(self) -> tuple[Volume, ...]:
        """(bands, rows, columns) of the patch, then after each block."""
        return tuple(shape[:3] for shape in self.shapes())

    @property
    def features(self) -> int:
        """Values a patch has at the stream's end: units of the last dense layer, or the flattened volume."""
        if self.dense:
            return self.dense[-1].units
        return math.prod(self.shapes()[-1])


@dataclass(frozen=True)
class NetworkSpec:
    """A whole network: one stream a modality, the fusion's dense layers, and a dense layer to the classes.

    Attributes
    ----------
    streams
        In the order in which their features are concatenated.
    fusion
        Dense layers between the concatenation and the last layer; may be empty.
    classes
        Number of classes, the length of a row of logits.
    dtype
        "float32" or "float64", for every array of the network.
    kernels
        "fast", "direct" (no Winograd) or "reference" (plain loops).
    seed
        Of the initial parameters.
    start
        Variance of the initial weights: "fan_in" 1 / (3 fan_in), as PyTorch's layers start; "he" 2 / fan_in
        before a ReLU, else as "glorot" 2 / (fan_in + fan_out).
    """

    streams: tuple[StreamSpec, ...]
    fusion: tuple[DenseSpec, ...]
    classes: int
    dtype: DType = "float32"
    kernels: Kernels = "fast"
    seed: int = 0
    start: Start = "fan_in"

    def __post_init__(self) -> None:
        checks.check_streams(tuple(stream.name for stream in self.streams))
        for index, dense in enumerate(self.fusion, 1):
            checks.check_dense(dense, f"dense{index} of the fusion")
        checks.check_network(self.classes, self.dtype, self.kernels, self.seed, self.start)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the streams, in order."""
        return tuple(stream.name for stream in self.streams)

    def single(self, modality: str) -> NetworkSpec:
        """The same network with the stream of one modality only (the paper's single-modality comparison)."""
        streams = tuple(stream for stream in self.streams if stream.name == modality)
        if not streams:
            known = ", ".join(self.modalities)
            raise NetworkError(f"no stream '{modality}' in this network", f"its streams are: {known}")
        return replace(self, streams=streams)
