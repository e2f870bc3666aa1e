"""The ``[training]`` table of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from mpmm.settings.values import Count, Finite, Positive


@dataclass(frozen=True)
class TrainingConfig:
    """``[training]``: the optimizer's run.

    Attributes
    ----------
    epochs, batch
        Passes over the training patches; patches a step.
    rate, decay
        Adam's learning rate; decoupled weight decay.
    patience
        Epochs without a better validation accuracy before training stops; None: never.
    class_weights
        "none", or "balanced": a class counts inversely to its number of training patches.
    label_smoothing
        Share of a label spread evenly over all classes.
    drop_last
        Whether an incomplete last batch is left out.
    seed
        Of initial parameters, order of batches, augmentation and dropout.
    """

    epochs: Positive = 30
    batch: Positive = 40
    rate: Annotated[Finite, Field(gt=0)] = 1e-3
    decay: Annotated[Finite, Field(ge=0)] = 0.0
    patience: Positive | None = None
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drop_last: bool = False
    seed: Count = 0
