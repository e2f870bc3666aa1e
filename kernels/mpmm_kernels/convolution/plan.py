"""What a block (convolution, bias, activation, pool) computes and by which method: pure data, no arrays."""

import math
from dataclasses import dataclass
from typing import TypeAlias

from mpmm_kernels.arrays import Triple
from mpmm_kernels.convolution.operands import ConvolutionBlock
from mpmm_kernels.vocabulary import Activation, MethodName, Padding, Pool

Volume: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class BlockPlan:
    """A block's shapes (depth, rows, columns, channels; no batch axis) and its method.

    ``before`` is the zero padding before each axis of the input; the padding after it follows from
    ``convolved_shape``. ``method`` names the `Method` that runs the block; ``detail`` tells people how, in a
    word or two.
    """

    input_shape: Volume
    filters: int
    kernel: Triple
    stride: Triple
    before: Triple
    convolved_shape: Volume
    activation: Activation
    pool: Pool | None
    window: Triple
    output_shape: Volume
    dtype: str
    method: MethodName
    detail: str = ""

    @property
    def weights_shape(self) -> tuple[int, int, int, int, int]:
        """Shape of the weights: kernel depth, rows, columns, channels in, channels out."""
        return (*self.kernel, self.input_shape[3], self.filters)

    @property
    def operations(self) -> int:
        """Arithmetic of a convolution of one sample done directly, a product and its sum as two."""
        return 2 * math.prod(self.convolved_shape) * math.prod(self.weights_shape[:4])

    def __str__(self) -> str:
        return f"{self.method} {self.detail}".rstrip()

    def __hash__(self) -> int:
        # of few fields: layouts are looked up by plans some ten times a pass, and few plans differ in the
        # others only
        return hash((self.input_shape, self.output_shape, self.kernel, self.method, self.detail))


def convolved_length(length: int, kernel: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Output length of a convolution along one axis, and the zeros it puts before the input.

    "same" gives ceil(length / stride) outputs and puts the odd zero after, as TensorFlow does (and PyTorch,
    where it knows "same" at all).
    """
    if padding == "valid":
        return (length - kernel) // stride + 1, 0
    outputs = -(-length // stride)
    zeros = max((outputs - 1) * stride + kernel - length, 0)
    return outputs, zeros // 2


def draft(input_shape: Volume, block: ConvolutionBlock, dtype: str) -> BlockPlan:
    """A plan with all shapes, by the method that takes everything.

    Raises
    ------
    ValueError
        When the kernel or the pool's window does not fit.
    """
    lengths = zip(input_shape[:3], block.kernel, block.stride, block.padding, strict=True)
    axes = [convolved_length(*axis) for axis in lengths]
    (depth, rows, columns), before = (tuple(values) for values in zip(*axes, strict=True))
    if min(depth, rows, columns) < 1:
        raise ValueError(f"kernel {block.kernel} does not fit into the input {input_shape[:3]}")
    window = block.window if block.pool else (1, 1, 1)
    pooled = depth // window[0], rows // window[1], columns // window[2]
    if min(pooled) < 1:
        raise ValueError(f"pool {window} does not fit into the convolved {(depth, rows, columns)}")
    return BlockPlan(
        input_shape=input_shape,
        filters=block.filters,
        kernel=block.kernel,
        stride=block.stride,
        before=(before[0], before[1], before[2]),
        convolved_shape=(depth, rows, columns, block.filters),
        activation=block.activation,
        pool=block.pool,
        window=window,
        output_shape=(*pooled, block.filters),
        dtype=dtype,
        method="reference",
    )
