"""Joins in a configuration: read, kept with a run, and refused in one line."""

import tomllib

import pytest

from mpmm.errors import ConfigError
from mpmm.network import BlockSpec, JoinSpec
from mpmm.scene import Labels, Modality, Scene
from mpmm.settings.config import Config, NetworkConfig, config_from_json
from mpmm.settings.validation import read_as

CONVOLUTION = "{ filters = 8, kernel = [3, 1, 1], padding = 'same', inputs = ['patch'] }"


def read(*blocks: str) -> NetworkConfig:
    table = tomllib.loads(f"[streams.hsi]\nblocks = [{', '.join(blocks)}]")
    return read_as(NetworkConfig, table, "mpmm.toml")


def test_blocks_are_convolutions_and_joins_and_come_back_from_a_runs_folder(tmp_path):
    join = "{ join = 'add', inputs = ['block1', 'block2'], activation = 'relu' }"
    network = read(CONVOLUTION, CONVOLUTION, join)
    first, _, last = network.streams["hsi"].blocks
    assert first == BlockSpec(8, (3, 1, 1), padding="same", inputs=("patch",))
    assert last == JoinSpec("add", ("block1", "block2"), activation="relu")
    scene = Scene(tmp_path, Labels("labels.tif"), (Modality("hsi", ("hsi.tif",)),), None)
    config = Config(scene, network=network)
    assert config_from_json(config.as_json(), "config.json") == config


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("{ join = 'ad' }", "'streams.hsi.blocks.0.join' is \"ad\": input should be 'add' or 'concatenate'"),
        ("{ join = 'add', filters = 3 }", "unknown key 'streams.hsi.blocks.0.filters'"),
        ("{ join = 'add', input = ['block1'] }", "did you mean 'inputs'?"),
        ("{ filters = 3, kernel = [3, 1, 1], groups = 3 }", "unknown key 'streams.hsi.blocks.0.groups'"),
        ("{ filters = 3, kernel = [3, 1, 1], window = [1, 1] }", "'streams.hsi.blocks.0.window"),
    ],
)
def test_a_wrong_block_is_refused_by_its_key(block, problem):
    with pytest.raises(ConfigError) as refused:
        read(block)
    assert problem in f"{refused.value.problem} {refused.value.hint}"
