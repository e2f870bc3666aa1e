"""Words that say how a block is computed, each declared once; `typing.get_args` gives the tuple."""

from typing import Literal, TypeAlias

Activation: TypeAlias = Literal["relu", "sigmoid", "none"]
Pool: TypeAlias = Literal["max", "average"]
Padding: TypeAlias = Literal["valid", "same"]
Kernels: TypeAlias = Literal["fast", "direct", "reference"]
