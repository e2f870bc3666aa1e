"""A way to run a block, as a record of functions: what every method must offer to `block`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.operands import Gradients, Operands
from mpmm_kernels.convolution.plan import BlockPlan
from mpmm_kernels.vocabulary import MethodName


@dataclass(frozen=True)
class Method:
    """The functions of one method; their arguments are those of the functions of `block`.

    Attributes
    ----------
    name
        By which plans name it.
    offer
        The text for ``plan.detail`` when the method can run a plan of these shapes, else None. It looks at
        shapes and dtype only.
    cost
        Time of the forward pass on one sample, in operations of a direct convolution.
    scratch_bytes
        Bytes that inference on so many samples writes beside the block's output, on one thread.
    allocate
        All arrays the method needs for up to so many samples; only the method itself looks inside.
    ends
        Whether its kernels end an inference of a plan with a sum and a batch-norm.
    normalises
        Whether they end it with a batch-norm alone.
    adds
        Whether they can add an inference's output to an array in place.
    """

    name: MethodName
    offer: Callable[[BlockPlan], str | None]
    cost: Callable[[BlockPlan], float]
    scratch_bytes: Callable[[BlockPlan, int], int]
    allocate: Callable[[BlockPlan, int], Any]
    forward: Callable[[BlockPlan, Any, Operands], Floats]
    infer: Callable[[BlockPlan, Any, Operands], Floats]
    backward: Callable[[BlockPlan, Any, Operands, Gradients, bool], Floats | None]
    ends: Callable[[BlockPlan], bool] = lambda plan: False
    normalises: Callable[[BlockPlan], bool] = lambda plan: False
    adds: Callable[[BlockPlan], bool] = lambda plan: False


def direct_cost(plan: BlockPlan) -> float:
    """`Method.cost` of a method that makes every product of the convolution."""
    return float(plan.operations)
