"""What a network is made of, as frozen dataclasses: streams of blocks, dense layers, the fusion head."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mpmm.errors import NetworkError
from mpmm.network import checks
from mpmm.network.shapes import Volume, convolved, pooled
from mpmm.network.vocabulary import Activation, DType, Kernels, Padding, Pool


@dataclass(frozen=True)
class BlockSpec:
    """One block of a stream: convolution, activation, pool, batch-norm, dropout, in this order.

    Attributes
    ----------
    filters
        Output channels of the convolution.
    kernel, stride
        Extent and step of the convolution over (bands, rows, columns).
    padding
        "valid", "same", or one of them per axis.
    activation
        "relu", "sigmoid" or "none".
    pool, window
        "max", "average" or "none"; the window is the stride too, an incomplete last window is left out.
    batch_norm
        Whether a batch-norm per channel follows the pool.
    dropout
        Share of the block's outputs set to zero in training, in [0, 1).
    kernels
        "fast", "direct" or "reference" for this block alone; None: the network's. Maps follow the network's.
    """

    filters: int
    kernel: Volume
    stride: Volume = (1, 1, 1)
    padding: Padding | tuple[Padding, Padding, Padding] = "valid"
    activation: Activation = "relu"
    pool: Pool = "max"
    window: Volume = (2, 2, 2)
    batch_norm: bool = True
    dropout: float = 0.0
    kernels: Kernels | None = None

    @property
    def paddings(self) -> tuple[Padding, Padding, Padding]:
        """Padding of bands, rows, columns."""
        return (self.padding,) * 3 if isinstance(self.padding, str) else self.padding

    def output(self, volume: Volume, index: int, stream: str) -> Volume:
        """(bands, rows, columns) that this block, the ``index``-th of ``stream``, makes of ``volume``."""
        conv = f"conv{index} of stream {stream}"
        left = convolved(volume, self.kernel, self.stride, self.paddings, conv)
        return left if self.pool == "none" else pooled(left, self.window, f"pool{index} of stream {stream}")


@dataclass(frozen=True)
class DenseSpec:
    """A dense layer with its activation and the dropout behind it."""

    units: int
    activation: Activation = "relu"
    dropout: float = 0.0


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
        In forward order; either may be empty.

    Raises
    ------
    NetworkError
        A value is out of range, or a layer does not fit what the layers before leave of the patch.
    """

    name: str
    bands: int
    size: int
    blocks: tuple[BlockSpec, ...]
    dense: tuple[DenseSpec, ...] = ()

    def __post_init__(self) -> None:
        checks.check_name(self.name)
        checks.check_patch(self.name, self.bands, self.size)
        for index, block in enumerate(self.blocks, 1):
            checks.check_block(block, index, self.name)
        for index, dense in enumerate(self.dense, 1):
            checks.check_dense(dense, f"dense{index} of stream {self.name}")
        self.volumes()

    def volumes(self) -> tuple[Volume, ...]:
        """(bands, rows, columns) of the patch, then after each block."""
        volumes = [(self.bands, self.size, self.size)]
        for index, block in enumerate(self.blocks, 1):
            volumes.append(block.output(volumes[-1], index, self.name))
        return tuple(volumes)

    @property
    def features(self) -> int:
        """Values a patch has at the stream's end: units of the last dense layer, or the flattened volume."""
        if self.dense:
            return self.dense[-1].units
        return math.prod(self.volumes()[-1]) * (self.blocks[-1].filters if self.blocks else 1)


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
    """

    streams: tuple[StreamSpec, ...]
    fusion: tuple[DenseSpec, ...]
    classes: int
    dtype: DType = "float32"
    kernels: Kernels = "fast"
    seed: int = 0

    def __post_init__(self) -> None:
        checks.check_streams(tuple(stream.name for stream in self.streams))
        for index, dense in enumerate(self.fusion, 1):
            checks.check_dense(dense, f"dense{index} of the fusion")
        checks.check_network(self.classes, self.dtype, self.kernels, self.seed)

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
