"""Descriptions of networks: the paper's shapes, and every mistake refused with its layer named."""

import dataclasses
from dataclasses import replace

import pytest
from network_examples import small

from mpmm.errors import NetworkError
from mpmm.network import BlockSpec, DenseSpec, Network, NetworkSpec, StreamSpec, paper

BANDS = {"hsi": 48, "rgb": 3}


def test_paper_has_the_designs_shapes():
    hsi, rgb = paper(BANDS, 20).streams
    assert hsi.volumes() == ((48, 25, 25), (21, 11, 11), (8, 4, 4), (3, 2, 2))
    assert rgb.volumes() == ((3, 25, 25), (3, 11, 11), (3, 4, 4), (1, 2, 2))
    flattened = [replace(stream, dense=()).features for stream in (hsi, rgb)]
    assert flattened == [768, 256]


@pytest.mark.parametrize("modalities", [("hsi",), ("rgb",), ("rgb", "hsi"), ("hsi", "rgb", "lidar")])
def test_paper_for_any_modalities(modalities):
    spec = paper({**BANDS, "lidar": 7}, 20, modalities=modalities)
    assert spec.modalities == modalities


def test_paper_for_one_band():
    assert paper({"dem": 1}, 2, modalities=("dem",)).streams[0].volumes()[-1] == (1, 2, 2)


def test_single_keeps_one_stream_as_it_is():
    spec = paper(BANDS, 20)
    assert spec.single("rgb") == paper(BANDS, 20, modalities=("rgb",))
    with pytest.raises(NetworkError, match="no stream 'sar'"):
        spec.single("sar")


def test_output_lengths():
    """floor((n - k) / s) + 1 when valid, ceil(n / s) when same; pools leave an incomplete window out."""
    block = BlockSpec(1, (3, 3, 4), stride=(2, 3, 3), padding=("valid", "same", "valid"), pool="none")
    assert block.output((10, 10, 10), 1, "s") == (4, 4, 3)
    assert replace(block, pool="max", window=(2, 3, 2)).output((10, 10, 10), 1, "s") == (2, 1, 1)


def blocks(*specs, bands=12, size=9):
    return lambda: StreamSpec("hsi", bands, size, specs)


FITTING = BlockSpec(2, (3, 3, 3))
ERRORS = {
    "conv2 of stream hsi: 5 bands left, kernel needs 7": blocks(FITTING, BlockSpec(2, (7, 3, 3))),
    "conv1 of stream hsi: 9 rows left, kernel needs 11": blocks(BlockSpec(2, (3, 11, 3))),
    "conv1 of stream hsi: 9 columns left, kernel needs 10": blocks(BlockSpec(2, (3, 3, 10))),
    "pool1 of stream hsi: 1 row left, window needs 2": blocks(BlockSpec(2, (3, 9, 3))),
    "pool2 of stream hsi: 3 bands left, window needs 4": blocks(
        FITTING, BlockSpec(2, (3, 1, 1), window=(4, 1, 1))
    ),
    "conv1 of stream hsi: filters is 0, expected 1 or more": blocks(replace(FITTING, filters=0)),
    "conv1 of stream hsi: kernel is (3, 0, 3)": blocks(replace(FITTING, kernel=(3, 0, 3))),
    "conv1 of stream hsi: kernel is (3, 3)": blocks(replace(FITTING, kernel=(3, 3))),
    "conv1 of stream hsi: stride is (0, 1, 1)": blocks(replace(FITTING, stride=(0, 1, 1))),
    "pool1 of stream hsi: window is (-1, 2, 2)": blocks(replace(FITTING, window=(-1, 2, 2))),
    "conv1 of stream hsi: padding is 'full'": blocks(replace(FITTING, padding="full")),
    "conv1 of stream hsi: padding has 2 values": blocks(replace(FITTING, padding=("same", "same"))),
    "conv1 of stream hsi: activation is 'tanh'": blocks(replace(FITTING, activation="tanh")),
    "pool1 of stream hsi: pool is 'mean'": blocks(replace(FITTING, pool="mean")),
    "dropout1 of stream hsi: dropout is 1.0": blocks(replace(FITTING, dropout=1.0)),
    "stream hsi: bands is 0, expected 1 or more": blocks(FITTING, bands=0),
    "stream hsi: patch size is 0, expected 1 or more": blocks(FITTING, size=0),
    "dense2 of stream hsi: units is 0": lambda: StreamSpec("hsi", 1, 1, (), (DenseSpec(3), DenseSpec(0))),
    "dense1 of stream hsi: activation is 'gelu'": lambda: StreamSpec(
        "hsi", 1, 1, (), (DenseSpec(3, "gelu"),)
    ),
    "'a.b' cannot name a stream": lambda: StreamSpec("a.b", 1, 1, ()),
    "'fusion' cannot name a stream": lambda: StreamSpec("fusion", 1, 1, ()),
    "dense1 of the fusion: dropout is -0.1": lambda: replace(small(), fusion=(DenseSpec(3, dropout=-0.1),)),
    "network: start is 'zeros'": lambda: replace(small(), start="zeros"),
    "a network needs at least one stream": lambda: NetworkSpec((), (), 3),
    "stream hsi is there twice": lambda: NetworkSpec((StreamSpec("hsi", 1, 1, ()),) * 2, (), 3),
    "a network needs at least 2 classes, got 1": lambda: replace(small(), classes=1),
    "network: dtype is 'float16'": lambda: replace(small(), dtype="float16"),
    "network: kernels is 'slow'": lambda: replace(small(), kernels="slow"),
    "network: seed is -1": lambda: replace(small(), seed=-1),
    "stream sar: no such modality": lambda: paper(BANDS, 20, modalities=("sar",)),
    "conv3 of stream hsi: 2 rows left, kernel needs 3": lambda: paper(BANDS, 20, size=17),
}


@pytest.mark.parametrize("message", ERRORS)
def test_a_mistake_is_refused_with_its_layer(message):
    with pytest.raises(NetworkError) as caught:
        ERRORS[message]()
    assert caught.value.problem.startswith(message)
    assert "\n" not in str(caught.value)


def test_descriptions_are_values():
    spec = small()
    assert spec == small()
    assert hash(spec) == hash(small())
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.classes = 3


def test_a_block_chooses_its_own_kernels():
    """Beside those of the network; seen where the network is printed."""
    hsi = paper(BANDS, 20, modalities=("hsi",)).streams[0]
    first, second, third = hsi.blocks
    own = replace(first, kernels="direct"), replace(second, kernels="reference"), third
    lines = str(Network(NetworkSpec((replace(hsi, blocks=own),), (), 3))).splitlines()
    methods = [line.split("  ")[-1].split()[0] for line in lines if "convolution" in line]
    # "direct" are several methods: which of them the first block gets follows from the width of a vector
    assert methods[0] in ("direct", "indirect")
    assert methods[1:] == ["reference", "winograd"]
    with pytest.raises(NetworkError, match="conv1 of stream hsi: kernels is 'fastest'"):
        replace(hsi, blocks=(replace(first, kernels="fastest"),))
