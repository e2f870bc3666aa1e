"""A way to run a block, as a record of functions: what every method must offer to `block`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mpmm_kernels.arrays import Floats
from mpmm_kernels.convolution.plan import BlockPlan


@dataclass(frozen=True)
class Method:
    """The functions of one method; their arguments are those of the functions of `block`.

    Attributes
    ----------
    name
        First word of the plans this method runs.
    offer
        The text for ``plan.method`` (beginning with ``name``) when the method can run a plan of these shapes,
        else None. It looks at shapes and dtype only.
    allocate
        All arrays the method needs for up to so many samples; only the method itself looks inside.
    """

    name: str
    offer: Callable[[BlockPlan], str | None]
    allocate: Callable[[BlockPlan, int], Any]
    forward: Callable[[BlockPlan, Any, Floats, Floats, Floats], Floats]
    infer: Callable[[BlockPlan, Any, Floats, Floats, Floats], Floats]
    backward: Callable[[BlockPlan, Any, Floats, Floats, Floats, Floats, Floats, Floats, bool], Floats | None]
