"""Words that descriptions of networks are made of, each declared once; `typing.get_args` gives the tuple."""

from __future__ import annotations

from typing import Literal

from mpmm_kernels.vocabulary import Activation, Kernels, Padding
from mpmm_kernels.vocabulary import Pool as KernelPool

__all__ = ["Activation", "DType", "Join", "Kernels", "Padding", "Pool", "RateSchedule", "Start"]

Pool = Literal[KernelPool, "none"]
DType = Literal["float32", "float64"]
# how a block makes one volume of several
Join = Literal["add", "concatenate"]
# how the learning rate follows the run
RateSchedule = Literal["constant", "step", "cosine", "plateau"]
# the variance of initial weights: 2 / fan_in before a ReLU, 2 / (fan_in + fan_out), 1 / (3 fan_in)
Start = Literal["he", "glorot", "fan_in"]
