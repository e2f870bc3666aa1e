"""The bug `stream_called_dense`: dropout layers of a stream called "dense" bore another stream's name.

Their names were made by replacing "dense" in the dense layer's name wherever it stood, the stream included:
the streams "dense" and "dropout" had one name for two layers, and the same masks.
"""

from mpmm.network import DenseSpec, Network, NetworkSpec, StreamSpec, section_of


def test_each_layer_is_named_after_its_own_block():
    streams = tuple(StreamSpec(name, 2, 3, (), (DenseSpec(4, dropout=0.5),)) for name in ("dense", "dropout"))
    network = Network(NetworkSpec(streams, (DenseSpec(4, dropout=0.5),), 3, kernels="reference"))
    layers = [(block, layer) for block in network.blocks.values() for layer in block.layers]
    assert len({layer.name for _, layer in layers}) == len(layers)
    assert all(section_of(layer.name) == section_of(block.name) for block, layer in layers)
    assert "dense.head.dropout1" in {layer.name for _, layer in layers}
