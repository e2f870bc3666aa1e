"""What a rank that updates keeps: parameters and moments, of the last complete step and the one under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from mpmm_kernels.layers import exponential_average

from mpmm.network import Adam, Array, Layer, Network, Parameter
from mpmm.ranks.counters import Counters
from mpmm.ranks.flat import weighted_mean
from mpmm.ranks.gradient_norm import GradientNorm
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
class _StoredLayer:
    """A layer and where it lies in a state."""

    layer: Layer
    values: slice
    moments: slice
    runs: tuple[_Run, ...]

    def views_of(self, state: Snapshot) -> _Views:
        """Its part of a state."""
        values = state.values[self.values]
        return _Views(values, self.layer.views_of(values), [run.of(state) for run in self.runs])


class _Views(NamedTuple):
    """A layer's part of a state: all of its values, each parameter's, and those of each run with moments."""

    values: Array
    parameters: list[Array]
    runs: list[tuple[Array, Array, Array]]


class ParameterStore:
    """Parameters, their updates, and snapshots.

    There are two states: an update reads the one of the last complete step and writes the other, so that the
    first is there whole at any time, and a step costs no copy. Where nobody looks within a step, one state is
    enough, which takes half the memory. Where other ranks update most layers, this rank's own move on in the
    second state, the others' come there, and the first is what was gathered last.

    Parameters
    ----------
    network
        The blocks; its layers' values are the newest.
    optimizer
        The rule of the updates; its moments are taken over, and kept here from now on.
    counters
        Where the run stands.
    in_place
        Whether updates write over the state they read: nobody asks for a complete state within a step.
    gathers
        Whether other ranks update layers too: what is complete is so after `end_gathering` only.
    clip_norm
        To which the norm of all gradients together is clipped; None: never.

    Attributes
    ----------
    gradient_norm
        The norm of this step's gradients, by which they are clipped.
    complete
        The state after the last complete step, or after the last gathering: within a step the parameters are
        partly of the next one.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Adam,
        counters: Counters,
        *,
        in_place: bool = False,
        gathers: bool = False,
        clip_norm: float | None = None,
    ) -> None:
        self.network, self.optimizer, self.counters = network, optimizer, counters
        self.gradient_norm = GradientNorm(clip_norm)
        self.complete = Snapshot(network)
        self.complete.take(optimizer, counters)
        # else the moments would be held twice
        optimizer.load_state({}, network.parameters)
        self._next = self.complete if in_place else Snapshot(network)
        self._next.copy_from(self.complete.parts)
        # the state that an update reads is the one it writes
        self._same = in_place or gathers
        self._gathers = gathers
        self._layers = {stored.layer.name: stored for stored in _stored_layers(network, optimizer)}
        # made once for each of the two memories that states swap: an update of views alone took longer than
        # the arithmetic of a small layer
        self._views: dict[tuple[int, str], _Views] = {}
        self._moved: set[str] = set()
        # two, for one may still be under way to the driver
        self._sent: list[Snapshot] = []
        self._turn = 0
        self._packed: dict[str, Array] = {}

    def update(self, layer: str, pushed: Sequence[tuple[Array, int]], number: int) -> None:
        """Move a layer's parameters; once a step.

        Parameters
        ----------
        layer
            Its name.
        pushed
            Gradients of all its parameters, flat, with the samples they are the mean of, in rank order.
        number
            Steps before this one.
        """
        stored = self._layers[layer]
        gradients = _mean(pushed)
        new = self._views_of(self._next, stored)
        old = new if self._same else self._views_of(self.complete, stored)
        for run, before, after in zip(stored.runs, old.runs, new.runs, strict=True):
            gradient = gradients[run.gradients]
            if run.trainable:
                into = None if new is old else after
                gradient = self.gradient_norm.clipped(gradient)
                drops = self.counters.drops
                self.optimizer.move(before, gradient, number + 1, decayed=run.decayed, drops=drops, into=into)
            else:
                after[0][...] = before[0]
                exponential_average(after[0], gradient, self.optimizer.average)
        stored.layer.take_values(new.values, new.parameters)
        self._moved.add(layer)

    def _views_of(self, state: Snapshot, stored: _StoredLayer) -> _Views:
        """A layer's part of one of the two states."""
        key = id(state.values), stored.layer.name
        if key not in self._views:
            self._views[key] = stored.views_of(state)
        return self._views[key]

    def newest(self, layers: Sequence[str]) -> Array:
        """The newest values of layers that follow each other in a state, all moved in this step or none."""
        state = self._next if layers[0] in self._moved else self.complete
        return state.values[self._layers[layers[0]].values.start : self._layers[layers[-1]].values.stop]

    def sum_squares(self, layer: str, pushed: Sequence[tuple[Array, int]]) -> None:
        """Measure the gradients by which `update` will move a layer, before the norm is known."""
        self.gradient_norm.measure(self._layers[layer].layer, _mean(pushed))

    def remember(self) -> None:
        """The step is complete."""
        if self._gathers:
            return
        for name, stored in self._layers.items():
            if name not in self._moved:
                self._carry_over(stored)
        self._moved.clear()
        self.complete.swap(self._next)
        self.complete.count(self.counters)

    def end_gathering(self) -> None:
        """All layers' states after the step have come: they are the complete state from now on."""
        self.complete.copy_from(self._next.parts)
        self.complete.count(self.counters)

    def packed(self, layer: str) -> Array:
        """A layer's newest values and moments, one after the other in memory that is kept for them."""
        parts = self._parts_of(layer)
        if layer not in self._packed:
            self._packed[layer] = np.concatenate(parts)
        return np.concatenate(parts, out=self._packed[layer])

    def unpack(self, layer: str, packed: Array) -> None:
        """Take over what another rank's store has `packed`."""
        start, stored = 0, self._layers[layer]
        for part in self._parts_of(layer):
            part[...] = packed[start : start + len(part)]
            start += len(part)
        stored.layer.take_values(self._next.values[stored.values])

    def _parts_of(self, layer: str) -> tuple[Array, Array, Array]:
        stored, state = self._layers[layer], self._next
        return state.values[stored.values], state.first[stored.moments], state.second[stored.moments]

    def freeze(self) -> None:
        """Copy the last complete state to where it is sent from; the one before last is no longer needed."""
        if len(self._sent) < 2:
            self._sent.append(Snapshot(self.network))
        self._turn = (self._turn + 1) % len(self._sent) if len(self._sent) == 2 else 0
        self._sent[self._turn].copy_from(self.complete.parts)

    def sent_part(self, item: int) -> Array:
        """One part of what was laid out last."""
        return self._sent[self._turn].parts[item]

    def _carry_over(self, stored: _StoredLayer) -> None:
        """A layer that the step did not move."""
        old, new = self.complete, self._next
        new.values[stored.values] = stored.layer.values
        new.first[stored.moments] = old.first[stored.moments]
        new.second[stored.moments] = old.second[stored.moments]
        stored.layer.take_values(new.values[stored.values])


def _mean(pushed: Sequence[tuple[Array, int]]) -> Array:
    return weighted_mean([flat for flat, _ in pushed], [samples for _, samples in pushed])


def _stored_layers(network: Network, optimizer: Adam) -> Iterator[_StoredLayer]:
    """Every layer with parameters, in a state's order."""
    values = moments = 0
    for block in network.blocks.values():
        for layer in block.layers:
            if layer.parameters:
                runs = tuple(_runs(layer, optimizer, values, moments))
                yield _StoredLayer(
                    layer,
                    slice(values, runs[-1].values.stop),
                    slice(moments, runs[-1].moments.stop),
                    runs,
                )
                values, moments = runs[-1].values.stop, runs[-1].moments.stop


def _runs(layer: Layer, optimizer: Adam, values: int, moments: int) -> Iterator[_Run]:
    """A layer's parameters as few runs; ``values`` and ``moments`` are where they begin."""
    gradients = 0
    alike = groupby(layer.parameters, lambda parameter: _treatment(parameter, optimizer))
    for (trainable, decayed), parameters in alike:
        size = sum(parameter.value.size for parameter in parameters)
        trained = size if trainable else 0
        yield _Run(
            trainable,
            decayed,
            slice(values, values + size),
            slice(moments, moments + trained),
            slice(gradients, gradients + size),
        )
        values, moments, gradients = values + size, moments + trained, gradients + size


def _treatment(parameter: Parameter, optimizer: Adam) -> tuple[bool, bool]:
    """Whether it is trained, and whether its weights decay."""
    return parameter.trainable, optimizer.decay > 0 and parameter.value.ndim > 1
