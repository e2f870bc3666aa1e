"""Vector registers that kernels run in, and those that plans are made for, whatever the processor has.

A plan decides about the order of a block's sums, and so about their bits: were it made for the registers at
hand, processors of another width would train another network. Blocks of accumulators fit the own ones.
"""

from typing import Any, NamedTuple

import numpy as np

from mpmm_kernels.vector.vector import REGISTER_BITS, REGISTERS


class Registers(NamedTuple):
    """Bits of a vector register, and how many of them a micro-kernel can count on."""

    bits: int
    number: int

    def lanes(self, dtype: Any) -> int:
        """Number of elements of a type in one of them."""
        return self.bits // (8 * int(np.dtype(dtype).itemsize))


OWN = Registers(REGISTER_BITS, REGISTERS)
PLANNED = Registers(512, 32)
