"""The ``[training]`` table of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mpmm.network import Rates, RateSchedule
from mpmm.settings.validation import values


@dataclass(frozen=True)
class TrainingConfig:
    """``[training]``: the optimizer's run.

    Attributes
    ----------
    epochs, batch
        Passes over the training patches; patches a step.
    rate, decay
        Adam's learning rate; decoupled weight decay.
    schedule
        "constant"; "step": the rate times ``factor`` every ``every`` epochs; "cosine": down to 0 at the last
        epoch's end; "plateau": times ``factor`` after ``every`` epochs without a lower validation loss.
    factor, every
        Of the schedules "step" and "plateau".
    minimum
        Of "plateau": the rate below which it does not go.
    warm_up
        Steps over which the rate rises to ``rate``, before the schedule begins.
    clip_norm
        Norm of all gradients together above which they are scaled down to it; None: never.
    patience
        Epochs without a better validation accuracy before training stops; None: never.
    class_weights
        "none", or "balanced": a class counts inversely to its number of training patches.
    oversample
        "none": an epoch has every patch once; "balanced": it draws as many with replacement, each class
        equally often. Beside ``class_weights`` that would correct twice.
    label_smoothing
        Share of a label spread evenly over all classes.
    focus
        The focal loss's gamma: patches that are classified well count less; 0: the cross-entropy.
    drop_last
        Whether an incomplete last batch is left out.
    seed
        Of initial parameters, order of batches, augmentation and dropout.
    tensorboard
        Whether the curves are written as TensorBoard's event files too.
    prometheus
        Port of this machine at which Prometheus finds the latest figures; None: nowhere.
    """

    epochs: values.Positive = 30
    batch: values.Positive = 40
    rate: values.PositiveFinite = 1e-3
    decay: values.NotNegative = 0.0
    schedule: RateSchedule = "constant"
    factor: values.Factor = 0.1
    every: values.Positive = 10
    minimum: values.NotNegative = 0.0
    warm_up: values.Count = 0
    clip_norm: values.PositiveFinite | None = None
    patience: values.Positive | None = None
    class_weights: Literal["none", "balanced"] = "none"
    oversample: Literal["none", "balanced"] = "none"
    label_smoothing: values.Smoothing = 0.0
    focus: values.NotNegative = 0.0
    drop_last: bool = False
    seed: values.Count = 0
    tensorboard: bool = False
    prometheus: values.Port | None = None

    @property
    def plateau(self) -> int | None:
        """Epochs without a lower validation loss before the rate drops; None: it does not wait for it."""
        return self.every if self.schedule == "plateau" else None

    @property
    def patient(self) -> bool:
        """Whether training waits for each validation, which may end it or lower its rate."""
        return self.patience is not None or self.plateau is not None

    def rates(self, steps_per_epoch: int) -> Rates:
        """The learning rate of every step, given how many steps an epoch has."""
        total, every = self.epochs * steps_per_epoch, self.every * steps_per_epoch
        return Rates(self.rate, self.schedule, self.factor, every, total, self.warm_up, self.minimum)
