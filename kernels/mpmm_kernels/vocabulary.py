"""Words that say how a block is computed, each declared once; `typing.get_args` gives the tuple."""

from typing import Literal, TypeAlias

Activation: TypeAlias = Literal["relu", "sigmoid", "none"]
Pool: TypeAlias = Literal["max", "average"]
Padding: TypeAlias = Literal["valid", "same"]
# What a user asks for: whatever is fastest, without Winograd's transforms, or plain loops
Kernels: TypeAlias = Literal["fast", "direct", "reference"]
# What runs a block: a folder of `convolution` each
MethodName: TypeAlias = Literal[
    "reference", "direct", "indirect", "depth", "winograd", "winograd-depth", "winograd-spectral"
]
