"""What a stream's blocks and the dense layers are made of, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass

from mpmm.network.shapes import Volume, convolved, pooled
from mpmm.network.vocabulary import Activation, Join, Kernels, Padding, Pool


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
    after
        Activation behind the batch-norm, where a network has it there: "relu", "sigmoid" or "none".
    inputs
        The block of the same stream that this one reads, e.g. ``("block1",)``, or ``("patch",)``; (): the one
        before.
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
    after: Activation = "none"
    inputs: tuple[str, ...] = ()

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
class JoinSpec:
    """A block that joins what other blocks of its stream make: sum or channels, then what it is told to.

    Attributes
    ----------
    join
        "add": the sum, of inputs of one shape; "concatenate": channels side by side, of equal volumes.
    inputs
        Blocks of the same stream that stand before, e.g. ``("block1", "block3")``; a single one is allowed,
        for what follows alone; (): the one before.
    batch_norm
        Whether a batch-norm per channel comes first.
    activation
        Behind it: "relu", "sigmoid" or "none".
    pool, window
        Behind that: "max", "average" or "none"; the window is the stride too.
    dropout
        Share of the block's outputs set to zero in training, in [0, 1).
    """

    join: Join
    inputs: tuple[str, ...] = ()
    batch_norm: bool = False
    activation: Activation = "none"
    pool: Pool = "none"
    window: Volume = (2, 2, 2)
    dropout: float = 0.0


@dataclass(frozen=True)
class DenseSpec:
    """A dense layer with its activation and the dropout behind it."""

    units: int
    activation: Activation = "relu"
    dropout: float = 0.0
