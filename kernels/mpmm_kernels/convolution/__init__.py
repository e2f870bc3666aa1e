"""Blocks (convolution, bias, activation, pool): a plan says what is computed, a method how."""

from mpmm_kernels.convolution.block import (
    Buffers,
    allocate,
    backward,
    cost,
    forward,
    infer,
    plan_block,
    scratch_bytes,
)
from mpmm_kernels.convolution.method import Method
from mpmm_kernels.convolution.operands import ConvolutionBlock, Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan, Volume

__all__ = [
    "BlockPlan",
    "Buffers",
    "ConvolutionBlock",
    "Gradients",
    "Method",
    "Operands",
    "Volume",
    "allocate",
    "backward",
    "cost",
    "forward",
    "infer",
    "plan_block",
    "scratch_bytes",
]
