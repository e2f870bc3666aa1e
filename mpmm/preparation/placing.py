"""Which layout a run takes: the one that its settings name, or the one that rank 0 finds by search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mpmm.messages import Collectives
from mpmm.network import NetworkSpec
from mpmm.placement import Layout, NetworkShape, layout_for
from mpmm.preparation.inventory import Inventory
from mpmm.settings import Config

if TYPE_CHECKING:
    from mpmm.placement import Choice


@dataclass(frozen=True)
class Placing:
    """What a layout is chosen for.

    Attributes
    ----------
    collectives
        Of all ranks.
    config, spec, shape
        The settings, and the network that they ask for.
    inventory
        Which rank has which files.
    drives
        Whether a driver would need every modality.
    """

    collectives: Collectives
    config: Config
    spec: NetworkSpec
    shape: NetworkShape
    inventory: Inventory
    drives: bool

    def layout(self) -> tuple[Layout, Choice | None]:
        """The layout, the same on every rank; and why, if it was found by search."""
        own, ranks, options = self.config.layout, self.collectives.size, self.config.layout_options
        if ranks == 1:
            return layout_for(self.shape, 1, options=options), None
        if own.name != "auto" or own.ranks or own.shares:
            return layout_for(self.shape, ranks, own.name, own.ranks, own.shares, options), None
        # a search needs twenty modules more, which most runs need not wait for
        from mpmm.preparation.searching import searched

        choice = searched(self)
        return choice.layout, choice
