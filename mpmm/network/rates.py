"""Learning rates by the step's number and counted drops, the same on every rank and after any pause."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mpmm.network.vocabulary import RateSchedule


@dataclass(frozen=True)
class Rates:
    """The learning rate of every step of a run.

    Attributes
    ----------
    base
        The rate after the warm-up.
    schedule
        "constant"; "step": times `factor` every `every` steps; "cosine": down to 0 at step `total`;
        "plateau": times `factor` at each drop, which the validation loss decides.
    factor
        What a drop multiplies the rate with.
    every, total
        Steps between two drops; steps of the whole run, the warm-up's among them.
    warm_up
        Steps over which the rate rises in equal parts to `base`, before the schedule begins.
    minimum
        Of "plateau": the rate below which no drop goes.

    References
    ----------
    Cosine: Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5, without restarts; warm-up: Goyal et al.,
    "Accurate, Large Minibatch SGD", 2017, section 2.2.
    """

    base: float
    schedule: RateSchedule = "constant"
    factor: float = 0.1
    every: int = 1
    total: int = 1
    warm_up: int = 0
    minimum: float = 0.0

    def at(self, step: int, drops: int = 0) -> float:
        """The rate of a step, counted from 0, after so many drops."""
        if step < self.warm_up:
            return self.base * (step + 1) / self.warm_up
        after = step - self.warm_up
        if self.schedule == "step":
            return self.base * self.factor ** (after // self.every)
        if self.schedule == "cosine":
            share = min(after / max(self.total - self.warm_up, 1), 1.0)
            return self.base * (1 + math.cos(math.pi * share)) / 2
        return self._dropped(drops) if self.schedule == "plateau" else self.base

    def _dropped(self, drops: int) -> float:
        """One drop after the other, as PyTorch does: a power would differ in its last bit."""
        rate = self.base
        for _ in range(drops):
            rate = max(rate * self.factor, min(rate, self.minimum))
        return rate
