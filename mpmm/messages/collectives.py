"""Collectives of plain values, named arrays and objects, each a message of bytes."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from mpmm.messages.channel import Channel
from mpmm.messages.kinds import Kind

_PLAIN, _OBJECT = "plain", "object"
Arrays = Mapping[str, NDArray[Any]]
T = TypeVar("T")


class Collectives:
    """What ranks give each other before the first step; every rank makes the same calls in the same order.

    Parameters
    ----------
    channel
        To the other ranks.

    Attributes
    ----------
    channel
        The same, for what two ranks exchange alone.
    rank, size
        This rank, and the number of ranks.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.rank, self.size = channel.rank, channel.size

    def broadcast(
        self, plain: object, source: int, arrays: Arrays | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """What rank ``source`` gives, on every rank.

        Parameters
        ----------
        plain
            Values that JSON can hold; only those of ``source`` count.
        source
            The rank that gives them.
        arrays
            Arrays by name, likewise of ``source``.
        """
        if self.rank == source:
            message = _packed(plain, arrays or {})
            for peer in range(self.size):
                if peer != source:
                    self.channel.send(Kind.SETUP, 0, message, peer)
        else:
            message = self.channel.receive_new(Kind.SETUP, 0, source, np.uint8)
        return _unpacked(message)

    def broadcast_object(self, value: T, source: int) -> T:
        """The object that rank ``source`` gives, on every rank; what the others name does not count.

        It is pickled, so it may be anything of this program's own: what is read and checked once need not be
        checked again on each rank.
        """
        own = {_OBJECT: np.frombuffer(pickle.dumps(value), np.uint8)} if self.rank == source else {}
        _, arrays = self.broadcast(None, source, own)
        if self.rank == source:
            return value
        given: T = pickle.loads(arrays[_OBJECT].tobytes())
        return given

    def gather(
        self, plain: object, root: int, arrays: Arrays | None = None
    ) -> list[tuple[Any, dict[str, Any]]]:
        """What every rank gives, in rank order, on rank ``root``; nothing on the others."""
        message = _packed(plain, arrays or {})
        if self.rank != root:
            self.channel.send(Kind.SETUP, 0, message, root)
            return []
        return [
            _unpacked(message if peer == root else self.channel.receive_new(Kind.SETUP, 0, peer, np.uint8))
            for peer in range(self.size)
        ]

    def allgather(self, plain: object) -> list[Any]:
        """What every rank gives, in rank order, on every rank."""
        gathered = [value for value, _ in self.gather(plain, 0)]
        values: list[Any] = self.broadcast(gathered, 0)[0]
        return values


def _packed(plain: object, arrays: Arrays) -> NDArray[np.uint8]:
    text = np.frombuffer(json.dumps(plain).encode(), np.uint8)
    return np.frombuffer(save({**arrays, _PLAIN: text}), np.uint8)


def _unpacked(message: NDArray[np.uint8]) -> tuple[Any, dict[str, Any]]:
    arrays = load(message.tobytes())
    return json.loads(arrays.pop(_PLAIN).tobytes()), arrays
