"""The ``[patches]`` table of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from mpmm.patches import SplitKind
from mpmm.settings.values import Count, Positive, Share


@dataclass(frozen=True)
class PatchesConfig:
    """``[patches]``: which pixels become patch centres, and how they are split.

    Attributes
    ----------
    size
        Rows and columns of a patch, odd.
    per_class
        Patches drawn per class.
    fraction
        Share of a class's usable pixels to draw, instead of ``per_class``.
    split
        "random" (the paper's protocol: neighbouring patches overlap) or "block" (spatially disjoint).
    shares
        Shares of training, validation and test patches; they add up to 1.
    seed
        From which the draw and the split follow.
    augment
        Whether training patches are flipped and turned.
    """

    size: Positive = 25
    per_class: Positive = 400
    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    split: SplitKind = "random"
    shares: tuple[Share, Share, Share] = (0.7, 0.15, 0.15)
    seed: Count = 0
    augment: bool = False
