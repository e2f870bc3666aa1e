"""Words that descriptions of networks are made of, each declared once; `typing.get_args` gives the tuple."""

from __future__ import annotations

from typing import Literal

from mpmm_kernels.vocabulary import Activation, Kernels, Padding
from mpmm_kernels.vocabulary import Pool as KernelPool

__all__ = ["Activation", "DType", "Kernels", "Padding", "Pool"]

Pool = Literal[KernelPool, "none"]
DType = Literal["float32", "float64"]
