"""The network of a run and who owned what of it, from the run folder alone: no raster is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mpmm.errors import RunError
from mpmm.network import NetworkSpec
from mpmm.placement import BlockShape, Layout, NetworkShape, choice_from_plain, describe, layout_for
from mpmm.records.run_record import RunRecord
from mpmm.settings import Config, config_from_json


@dataclass(frozen=True)
class Crossing:
    """What crosses between ranks from one block to the next, in a training step.

    Attributes
    ----------
    source, target
        Blocks by name.
    activations, gradients
        Bytes forward and backward; 0 where both are on the same rank.
    """

    source: str
    target: str
    activations: int
    gradients: int


@dataclass(frozen=True, eq=False)
class OwnedNetwork:
    """A run's network as its settings, bands and classes give it, and its layout.

    Attributes
    ----------
    config, spec, shape, layout
        What the run was asked for, its network with and without layers' details, and who owned what.
    """

    config: Config
    spec: NetworkSpec
    shape: NetworkShape
    layout: Layout

    @property
    def parameters(self) -> int:
        """Number of values of all parameters, running statistics too."""
        return sum(block.size for block in self.shape.blocks)

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """What goes along each edge of the network in a training step; samples of shards are shared out."""
        return tuple(
            self._crossing(self.shape.by_name[source], block)
            for block in self.shape.blocks
            for source in block.inputs
            if source in self.shape.by_name
        )

    def _crossing(self, source: BlockShape, target: BlockShape) -> Crossing:
        owners = self.layout.owner
        values = 1
        for length in source.output_shape:
            values *= length
        size = values * self.shape.itemsize * self.config.training.batch
        crosses = owners[source.name] != owners[target.name] and not self.layout.averages
        return Crossing(source.name, target.name, size * crosses, size * crosses)


def run_config(record: RunRecord) -> Config:
    """A run's settings as this version understands them.

    Raises
    ------
    ConfigError
        They are another version's.
    """
    return config_from_json(json.dumps(record.settings), f"{record.path / 'config.json'}")


def owned_network(record: RunRecord) -> OwnedNetwork:
    """The network of a run, and its layout.

    Raises
    ------
    MpmmError
        The folder does not say how many bands or classes there were, or its settings are not of this version.
    """
    if not record.bands or not record.classes:
        raise RunError(
            f"{record.path}: classes.json or normalization.json is missing",
            "the run has ended before its patches were drawn; train it anew",
        )
    config = run_config(record)
    spec = config.network.spec(record.bands, len(record.classes), config.patches.size, config.training.seed)
    shape = describe(spec)
    return OwnedNetwork(config, spec, shape, _layout(record, config, shape))


def _layout(record: RunRecord, config: Config, shape: NetworkShape) -> Layout:
    """The layout that the run states or that its search chose, or else its settings ask for."""
    own, options, players = config.layout, config.layout_options, record.players
    if record.ranks == 1:
        return layout_for(shape, 1, options=options)
    if players.get("chosen"):
        return choice_from_plain(players["chosen"]).layout
    stated = players.get("layout", own.name)
    if stated == "custom" or own.ranks:
        return layout_for(shape, record.ranks, None, own.ranks, own.shares, options)
    if stated == "auto":
        raise RunError(
            f"{record.path}: the layout was searched for, and layout.json, which holds it, is missing",
            "wait until the run has begun",
        )
    return layout_for(shape, record.ranks, str(stated), options=options)


def traffic_rows(record: RunRecord) -> list[list[dict[str, Any]]]:
    """What each rank has sent and received, by kind and peer, as its channel counted; none before the end."""
    per_rank = [] if record.summary is None else record.summary.get("per_rank") or []
    return [list(rank.get("traffic", [])) for rank in per_rank]
