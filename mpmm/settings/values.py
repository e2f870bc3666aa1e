"""The ranges of numbers that settings take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
Share = Annotated[float, Field(ge=0, le=1)]
# TOML knows inf; NaN fails every comparison
Finite = Annotated[float, Field(allow_inf_nan=False)]
