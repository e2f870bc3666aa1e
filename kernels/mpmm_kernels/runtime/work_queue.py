"""Work shared out while it is done: a worker takes the next piece when it is through with its last.

Shares cut beforehand make every worker wait for the slowest, which on a shared machine is the one whose core
another process took for a while. What a piece computes does not depend on who does it, so results stay the
same bits.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from mpmm_kernels.runtime.compiler import compiled
from mpmm_kernels.runtime.intrinsic import compiled_intrinsic, types

# how many pieces have been taken, in its first element
Tickets = NDArray[np.int64]
# where runs of samples begin, and the last one ends
Bounds = NDArray[np.int64]


@compiled
def tickets() -> Tickets:
    """Nothing is taken yet. To be made before the parallel loop; a cache line of its own."""
    return np.zeros(8, np.int64)


@compiled_intrinsic
def next_piece(typing: Any, taken: Any) -> Any:
    """The number of the next piece; no two workers get the same."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        return builder.atomic_rmw("add", array.data, ir.IntType(64)(1), "monotonic")

    return types.intp(taken), emit


@compiled
def parts(items: int, workers: int) -> int:
    """Into how many pieces to cut: one an item where there are many, else one a worker."""
    return items if items >= 4 * workers else workers


@compiled
def shared_better_by_halves(pieces: int, workers: int) -> bool:
    """Whether workers are through with all pieces sooner if each piece is cut into two."""
    return -(-2 * pieces // workers) < 2 * -(-pieces // workers)


@compiled
def nth_longest(bounds: Bounds, n: int) -> int:
    """Which of the runs between bounds is the n-th longest, the earlier one of equal ones.

    Taken in this order no long one is left when all but one worker are through: of groups of two and three
    samples two workers would need a twentieth more time.
    """
    for run in range(bounds.size - 1):
        length, longer = bounds[run + 1] - bounds[run], 0
        for other in range(bounds.size - 1):
            others = bounds[other + 1] - bounds[other]
            longer += others > length or (others == length and other < run)
        if longer == n:
            return run
    return -1
