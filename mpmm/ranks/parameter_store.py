"""What the server keeps: parameters and moments after the last complete step, and of the step under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from mpmm_kernels.layers import exponential_average

from mpmm.network import Adam, Array, Layer, Network
from mpmm.ranks.counters import Counters
from mpmm.ranks.flat import weighted_mean
from mpmm.ranks.snapshot import Snapshot


@dataclass(frozen=True)
class _Run:
    """Parameters of a layer next to each other that an update treats alike; their places in flat arrays."""

    trainable: bool
    decayed: bool
    values: slice
    moments: slice
    gradients: slice

    def of(self, state: Snapshot) -> tuple[Array, Array, Array]:
        """Its values with their first and second moments, as views into a state."""
        return state.values[self.values], state.first[self.moments], state.second[self.moments]


@dataclass(frozen=True)
class _Place:
    """A layer and where it lies in a state."""

    layer: Layer
    values: slice
    moments: slice
    runs: tuple[_Run, ...]


class ParameterStore:
    """Parameters, their updates, and snapshots.

    There are two states: an update reads the one of the last complete step and writes the other, so that the
    first is there whole at any time, and a step costs no copy. Where nobody looks within a step, one state is
    enough, which takes half the memory.

    Parameters
    ----------
    network
        All blocks; its layers' values are the newest.
    optimizer
        The rule of the updates; its moments are taken over, and kept here from now on.
    counters
        Where the run stands.
    in_place
        Whether updates write over the state they read: nobody asks for a complete state within a step.

    Attributes
    ----------
    complete
        The state after the last complete step: within a step the parameters are partly of the next one.
    """

    def __init__(
        self, network: Network, optimizer: Adam, counters: Counters, *, in_place: bool = False
    ) -> None:
        self.network, self.optimizer, self.counters = network, optimizer, counters
        self.complete = Snapshot(network)
        self.complete.take(optimizer, counters)
        # else the moments would be held twice
        optimizer.load_state({}, network.parameters)
        self._next = self.complete if in_place else Snapshot(network)
        self._places = {place.layer.name: place for place in _places(network, optimizer)}
        self._moved: set[str] = set()
        # two, for one may still be under way to the driver
        self._sent: list[Snapshot] = []
        self._turn = 0

    def update(self, layer: str, pushed: Sequence[tuple[Array | None, int]], number: int) -> None:
        """Move a layer's parameters; once a step.

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
        place = self._places[layer]
        flats = [place.layer.gradients[0] if flat is None else flat for flat, _ in pushed]
        gradients = weighted_mean(flats, [samples for _, samples in pushed])
        old, new = self.complete, self._next
        for run in place.runs:
            gradient = gradients[run.gradients]
            if run.trainable:
                into = None if new is old else run.of(new)
                self.optimizer.move(run.of(old), gradient, number + 1, decayed=run.decayed, into=into)
            else:
                new.values[run.values] = old.values[run.values]
                exponential_average(new.values[run.values], gradient, self.optimizer.average)
        place.layer.take_values(new.values[place.values])
        self._moved.add(layer)

    def remember(self) -> None:
        """The step is complete."""
        for name, place in self._places.items():
            if name not in self._moved:
                self._carry_over(place)
        self._moved.clear()
        self.complete.swap(self._next)
        self.complete.count(self.counters)

    def freeze(self) -> None:
        """Copy the last complete state to where it is sent from; the one before last is no longer needed."""
        if len(self._sent) < 2:
            self._sent.append(Snapshot(self.network))
        self._turn = (self._turn + 1) % len(self._sent) if len(self._sent) == 2 else 0
        self._sent[self._turn].copy_from(self.complete.parts)

    def sent_part(self, item: int) -> Array:
        """One part of what was laid out last."""
        return self._sent[self._turn].parts[item]

    def _carry_over(self, place: _Place) -> None:
        """A layer that the step did not move."""
        old, new = self.complete, self._next
        new.values[place.values] = place.layer.values
        new.first[place.moments] = old.first[place.moments]
        new.second[place.moments] = old.second[place.moments]
        place.layer.take_values(new.values[place.values])


def _places(network: Network, optimizer: Adam) -> Iterator[_Place]:
    """Every layer with parameters, in a state's order."""
    values = moments = 0
    for block in network.blocks.values():
        for layer in block.layers:
            if layer.parameters:
                runs = tuple(_runs(layer, optimizer, values, moments))
                yield _Place(
                    layer,
                    slice(values, runs[-1].values.stop),
                    slice(moments, runs[-1].moments.stop),
                    runs,
                )
                values, moments = runs[-1].values.stop, runs[-1].moments.stop


def _runs(layer: Layer, optimizer: Adam, values: int, moments: int) -> Iterator[_Run]:
    """A layer's parameters as few runs; ``values`` and ``moments`` are where they begin."""
    gradients = 0
    alike = groupby(layer.parameters, lambda one: (one.trainable, optimizer.decay > 0 and one.value.ndim > 1))
    for (trainable, decayed), parameters in alike:
        size = sum(one.value.size for one in parameters)
        trained = size if trainable else 0
        yield _Run(
            trainable,
            decayed,
            slice(values, values + size),
            slice(moments, moments + trained),
            slice(gradients, gradients + size),
        )
        values, moments, gradients = values + size, moments + trained, gradients + size
