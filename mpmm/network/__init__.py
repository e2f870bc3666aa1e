"""The network: parameters, layers, blocks, streams and fusion, loss, optimizer; knows no rank."""

from mpmm.network.presets import paper
from mpmm.network.spec import BlockSpec, DenseSpec, NetworkSpec, StreamSpec

__all__ = ["BlockSpec", "DenseSpec", "NetworkSpec", "StreamSpec", "paper"]
