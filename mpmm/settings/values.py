"""What settings take: ranges of numbers, kinds of blocks, plain values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag
from pydantic import JsonValue as JsonValue

from mpmm.network import BlockSpec, JoinSpec

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
# TOML knows inf; NaN fails every comparison
Finite = Annotated[float, Field(allow_inf_nan=False)]
PositiveFinite = Annotated[Finite, Field(gt=0)]
NotNegative = Annotated[Finite, Field(ge=0)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Factor = Annotated[float, Field(gt=0, lt=1)]
Smoothing = Annotated[float, Field(ge=0, lt=1)]
# training, validation and test
Folds = Annotated[int, Field(ge=3)]


def _kind_of_block(block: Any) -> str:
    """The branch of a block's table: a join where the word stands in it."""
    joins = "join" in block if isinstance(block, dict) else isinstance(block, JoinSpec)
    return "_join" if joins else "_convolution"


Block = Annotated[
    Annotated[BlockSpec, Tag("_convolution")] | Annotated[JoinSpec, Tag("_join")],
    Discriminator(_kind_of_block),
]
