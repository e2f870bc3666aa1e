"""Layers one behind the other, as a forward goes through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mpmm.network.batchnorm import BatchNorm
from mpmm.network.convolution import Convolution
from mpmm.network.layer import Layer, Step
from mpmm.network.parameter import Array


def forward_through(
    layers: Sequence[Layer], x: Array, step: Step, before: Callable[[Layer], None] | None = None
) -> Array:
    """Output of layers one behind the other; an inference makes batch-norm in its convolution's pass.

    Parameters
    ----------
    layers
        In forward order; of none x is the output.
    x
        (n, *input shape) of the first.
    step
        Which step, and whether it trains.
    before
        Called with each layer before it is computed, in forward order.
    """
    if step.training and before is None:
        for layer in layers:
            x = layer.forward(x, step)
        return x
    normalised = False
    for layer, follower in zip(layers, [*layers[1:], None], strict=False):
        if normalised:
            # in the pass of the layer before
            normalised = False
            continue
        if before is not None:
            before(layer)
        if step.training or not (isinstance(layer, Convolution) and isinstance(follower, BatchNorm)):
            x = layer.forward(x, step)
            continue
        if before is not None:
            before(follower)
        x, normalised = layer.infer(x, follower.begin_inference()), True
    return x
