"""What the server keeps: parameters and moments, and a whole copy of them after the last complete step."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.network import Adam, Layer, Network
from mpmm.network.parameter import Array
from mpmm.ranks.counters import Counters
from mpmm.ranks.flat import flat_of, gradients_of, unpack, weighted_mean
from mpmm.ranks.state import State


class Keeping:
    """Parameters, their updates, and snapshots.

    Parameters
    ----------
    network
        All blocks.
    optimizer
        The same as in a run of one process.
    counters
        Where the run stands.

    Attributes
    ----------
    complete
        The state after the last complete step: within a step the parameters are partly of the next one.
    """

    def __init__(self, network: Network, optimizer: Adam, counters: Counters) -> None:
        self.network, self.optimizer, self.counters = network, optimizer, counters
        self.complete = State(network)
        self.complete.take(optimizer, counters)
        self._layers: dict[str, Layer] = {
            layer.name: layer for block in network.blocks.values() for layer in block.layers
        }
        # two, for one may still be under way to the driver
        self._sent: list[State] = []
        self._turn = 0

    def update(self, layer: str, pushed: Sequence[tuple[Array | None, int]], number: int) -> None:
        """Move a layer's parameters.

        Parameters
        ----------
        layer
            Its name.
        pushed
            Gradients of all its parameters, flat, with the samples they are the mean of, in rank order;
            None stands for this rank's own, which are where the backward left them.
        number
            Steps before this one.
        """
        parameters = self._layers[layer].parameters
        gradients = gradients_of(parameters)
        flats = [flat_of(gradients) if flat is None else flat for flat, _ in pushed]
        unpack(weighted_mean(flats, [samples for _, samples in pushed]), gradients)
        for parameter in parameters:
            self.optimizer.update(parameter, number + 1)

    def remember(self) -> None:
        """The step is complete."""
        self.complete.take(self.optimizer, self.counters)

    def lay_out(self) -> None:
        """Copy the last complete state to where it is sent from; the one before last is no longer needed."""
        if len(self._sent) < 2:
            self._sent.append(State(self.network))
        self._turn = (self._turn + 1) % len(self._sent) if len(self._sent) == 2 else 0
        self._sent[self._turn].copy_from(self.complete.parts)

    def sent_part(self, item: int) -> Array:
        """One part of what was laid out last."""
        return self._sent[self._turn].parts[item]
