"""Types of arrays, and the fixed groups of samples in which gradients are added up."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mpmm_kernels.runtime.compiler import compiled

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.floating[Any]]
Triple: TypeAlias = tuple[int, int, int]

# Sums over samples are made group by group and the groups added in order, so their bits do not depend on the
# number of threads: at most this many threads share such a sum.
GROUPS = 16


@compiled
def group_bounds(group: int, samples: int) -> tuple[int, int]:
    """First sample of a group and the one after its last, of ``samples`` dealt out to ``GROUPS`` groups."""
    return group * samples // GROUPS, (group + 1) * samples // GROUPS
