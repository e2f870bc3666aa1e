"""The arrays of a run laid out flat: parameters and Adam's moments, as a snapshot's messages hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mpmm.network import Adam, Array, Network, Parameter, parts
from mpmm.placement import COUNTERS
from mpmm.ranks.counters import Counters
from mpmm.ranks.flat import flat_of, pack, unpack, values_of


class Snapshot:
    """All arrays of a run at one moment, each layer after the other in forward order, and where it stands.

    Parameters
    ----------
    network
        All blocks; its parameters' present values are the first state, with moments of zero.

    Attributes
    ----------
    counters
        float64 (16,): step, epoch, position in the epoch, loss summed, correct, patches seen; then zeros.
    values, first, second
        Every parameter; first and second moment of every trained one.
    """

    def __init__(self, network: Network) -> None:
        self._parameters = ordered(network)
        self._trained = [parameter for parameter in self._parameters if parameter.trainable]
        # a rank's blocks may have no parameters, where it holds a sum of branches alone
        dtype = network.spec.dtype
        self.counters = np.zeros(COUNTERS)
        self.values = flat_of(values_of(self._parameters), dtype)
        self.first = np.zeros(_size(self._trained), dtype)
        self.second = np.zeros(_size(self._trained), dtype)

    @property
    def parts(self) -> tuple[Array, Array, Array, Array]:
        """What a snapshot's messages hold, in the order of their items."""
        return self.counters, self.values, self.first, self.second

    def take(self, optimizer: Adam, counters: Counters) -> None:
        """Copy the network's parameters, their moments, and where the run stands."""
        pack(values_of(self._parameters), self.values)
        pairs = [optimizer.moments(parameter) for parameter in self._trained]
        pack([first for first, _ in pairs], self.first)
        pack([second for _, second in pairs], self.second)
        self.count(counters)

    def count(self, counters: Counters) -> None:
        """Take over where the run stands."""
        self.counters[:6] = (
            counters.step,
            counters.epoch,
            counters.position,
            counters.loss_sum,
            counters.correct,
            counters.seen,
        )

    def swap(self, other: Snapshot) -> None:
        """Exchange the arrays of parameters and moments with another state of the same network."""
        self.values, other.values = other.values, self.values
        self.first, other.first = other.first, self.first
        self.second, other.second = other.second, self.second

    def copy_from(self, parts: Sequence[Array]) -> None:
        """Take over the parts of another state of the same network."""
        for mine, other in zip(self.parts, parts, strict=True):
            mine[...] = other

    def put(self, moments: Mapping[str, Array]) -> None:
        """Take over moments by name; without any they stay as they are."""
        if moments:
            pack([moments[f"first.{parameter.name}"] for parameter in self._trained], self.first)
            pack([moments[f"second.{parameter.name}"] for parameter in self._trained], self.second)

    def put_into_network(self) -> None:
        """Set the network's parameters."""
        unpack(self.values, values_of(self._parameters))

    def arrays(self) -> dict[str, Mapping[str, Array]]:
        """What a checkpoint holds: ``parameters`` and ``moments`` by name."""
        moments = {}
        for flat, moment in ((self.first, "first"), (self.second, "second")):
            named = _named(flat, self._trained)
            moments.update({f"{moment}.{name}": array for name, array in named.items()})
        return {"parameters": _named(self.values, self._parameters), "moments": moments}


def ordered(network: Network) -> list[Parameter]:
    """All parameters, layer by layer in forward order."""
    return [parameter for block in network.blocks.values() for parameter in block.parameters]


def _named(flat: Array, parameters: Sequence[Parameter]) -> dict[str, Array]:
    """Views into ``flat`` by the parameters' names, in name order."""
    views = parts(flat, values_of(parameters))
    named = {parameter.name: view for parameter, view in zip(parameters, views, strict=True)}
    return {name: named[name] for name in sorted(named)}


def _size(parameters: Sequence[Parameter]) -> int:
    return sum(parameter.value.size for parameter in parameters)
