"""The kinds of messages, and the MPI tag of each (kind, item)."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from mpmm.messages.errors import MessageError
from mpmm.messages.wire import BFLOAT16, carrier

# Every MPI offers tags up to this one. Most offer more, but a network should work on all or on none.
TAG_LIMIT = 32767
_KINDS = 32
ITEM_LIMIT = TAG_LIMIT // _KINDS


class Kind(IntEnum):
    """What a message carries; with an item (a block's, layer's or part's number) it decides the tag."""

    ACTIVATION = 1
    GRADIENT = 2
    PUSH = 3
    PULL = 4
    METRICS = 5
    CONTROL = 6
    SNAPSHOT = 7
    LOGITS = 8
    SETUP = 9
    MONITOR = 10
    MAP = 11
    SUMS = 12
    TOTAL = 13
    STATE = 14
    SQUARES = 15
    NORM = 16
    SUMS_TOTAL = 17

    @property
    def label(self) -> str:
        """The kind in words, for tables and errors."""
        return _LABELS[self]

    @property
    def floating(self) -> bool:
        """Whether the values are floating-point numbers; an integer array is then refused."""
        return self in _FLOATING

    def carries(self, values: np.dtype[Any]) -> bool:
        """Whether a message of this kind may hold such values; rounded ones may be bits in whole numbers."""
        if values.kind == "f" or not self.floating:
            return True
        return self in _ROUNDED and values == carrier(BFLOAT16)


_LABELS = {
    Kind.ACTIVATION: "activation",
    Kind.GRADIENT: "activation gradient",
    Kind.PUSH: "parameter push",
    Kind.PULL: "parameter pull",
    Kind.METRICS: "metrics",
    Kind.CONTROL: "control",
    Kind.SNAPSHOT: "snapshot",
    Kind.LOGITS: "logits",
    Kind.SETUP: "setup",
    Kind.MONITOR: "monitor",
    Kind.MAP: "map",
    Kind.SUMS: "batch sums",
    Kind.TOTAL: "gradient total",
    Kind.STATE: "state",
    Kind.SQUARES: "gradient squares",
    Kind.NORM: "gradient norm",
    Kind.SUMS_TOTAL: "batch total",
}
_FLOATING = {
    Kind.ACTIVATION,
    Kind.GRADIENT,
    Kind.PUSH,
    Kind.PULL,
    Kind.METRICS,
    Kind.SNAPSHOT,
    Kind.LOGITS,
    Kind.SUMS,
    Kind.TOTAL,
    Kind.STATE,
    Kind.SQUARES,
    Kind.NORM,
    Kind.SUMS_TOTAL,
}

# by choice they travel in two bytes a value
_ROUNDED = {Kind.ACTIVATION, Kind.GRADIENT, Kind.PUSH, Kind.TOTAL}


def tag_of(kind: Kind, item: int) -> int:
    """The MPI tag: no two (kind, item) share one.

    Raises
    ------
    MessageError
        ``item`` is negative or there is no tag left for it.
    """
    if not 0 <= item < ITEM_LIMIT:
        raise MessageError(
            f"no MPI tag for item {item} of kind {kind.label}: items go from 0 to {ITEM_LIMIT - 1}",
            "the network has more layers than MPI is sure to have tags for",
        )
    return item * _KINDS + kind


def kind_and_item(tag: int) -> tuple[Kind, int]:
    """The inverse of `tag_of`."""
    return Kind(tag % _KINDS), tag // _KINDS
