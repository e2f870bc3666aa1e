from .block import Buffers, adds, allocate, backward, cost, forward, infer, plan_block, scratch_bytes
from .method import Method
from .operands import ConvolutionBlock, Gradients, Operands
from .plan import BlockPlan, Volume

__all__ = [
    "BlockPlan",
    "Buffers",
    "ConvolutionBlock",
    "Gradients",
    "Method",
    "Operands",
    "Volume",
    "adds",
    "allocate",
    "backward",
    "cost",
    "forward",
    "infer",
    "plan_block",
    "scratch_bytes",
]
