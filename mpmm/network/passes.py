"""Layers one behind the other, as a forward goes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

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
    for layer, batchnorm in _passes(layers, step):
        for computed in (layer, batchnorm):
            if before is not None and computed is not None:
                before(computed)
        if isinstance(layer, Convolution) and batchnorm is not None:
            x = layer.infer(x, batchnorm.begin_inference())
        else:
            x = layer.forward(x, step)
    return x


def _passes(layers: Sequence[Layer], step: Step) -> Iterator[tuple[Layer, BatchNorm | None]]:
    """Each layer, of an inference a convolution with the batch-norm right behind it."""
    left = list(layers)
    while left:
        layer, follower = left.pop(0), left[0] if left else None
        together = not step.training and isinstance(layer, Convolution)
        if together and isinstance(follower, BatchNorm):
            yield layer, follower
            del left[0]
        else:
            yield layer, None
