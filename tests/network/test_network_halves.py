"""Layers whose input gradient can be had first end with the bits of a whole backward."""

from __future__ import annotations

import numpy as np
import pytest

from mpmm.network import Dense, Step
from mpmm.network.initialisation import Initializer

SAMPLES, FEATURES, UNITS = 10, 12, 7


def dense(activation):
    """The same layer at each call."""
    return Dense("dense", FEATURES, UNITS, activation, initializer=Initializer(0, "float32"))


@pytest.mark.parametrize("activation", ["relu", "none"])
@pytest.mark.parametrize("batch", [0, 40])
def test_halves_have_the_bits_of_a_whole_backward(activation, batch):
    """On a shard of a larger batch too, and where the input is overwritten before the second half."""
    draw = np.random.default_rng(0).standard_normal
    x, dy = draw((SAMPLES, FEATURES), dtype="float32"), draw((SAMPLES, UNITS), dtype="float32")
    step = Step(training=True, first_sample=10 if batch else 0, batch=batch)
    whole, split = dense(activation), dense(activation)
    for layer in (whole, split):
        layer.forward(x.copy(), step)
    dx = whole.backward(dy)
    own = x.copy()
    split.forward(own, step)
    half = split.backward_input(dy)
    own[:] = np.nan
    split.backward_parameters()
    assert dx.tobytes() == half.tobytes()
    assert len(whole.gradients) == len(split.gradients)
    assert whole.gradients.tobytes() == split.gradients.tobytes()
    assert np.isfinite(whole.gradients).all()
