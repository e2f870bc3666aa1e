"""The configuration file: what it says arrives, and every fault is one line that names the key."""

import json
from pathlib import Path

import pytest

from mpmm.errors import ConfigError, MpmmError
from mpmm.network.block_spec import BlockSpec, DenseSpec
from mpmm.settings.config import Config, config_from_json, load_config

SCENE = """
[scene]
folder = "data"
[scene.labels]
file = "labels.tif"
[scene.classes]
1 = "soil"
7 = {name = "water", color = "#0000ff"}
[scene.modalities.hsi]
files = ["hsi_*.tif"]
drop_bands = [3]
scale = 1
"""


def read(folder: Path, text: str) -> Config:
    path = folder / "mpmm.toml"
    path.write_text(text)
    return load_config(path)


def test_scene_is_read_relative_to_the_file(tmp_path):
    config = read(tmp_path, SCENE)
    assert config.scene.folder == tmp_path / "data"
    assert [(item.id, item.name) for item in config.scene.labels.classes] == [(1, "soil"), (7, "water")]
    assert config.scene.labels.classes[1].color == "#0000ff"
    assert config.scene.modalities[0].name == "hsi"
    assert config.scene.modalities[0].drop_bands == (3,)


def test_network_of_streams(tmp_path):
    text = """
    [network]
    dtype = "float64"
    fusion = [{units = 32, dropout = 0.25}]
    [network.streams.hsi]
    blocks = [{filters = 8, kernel = [3, 3, 3], window = [2, 2, 2]}]
    dense = []
    """
    spec = read(tmp_path, SCENE + text).network.spec({"hsi": 20, "rgb": 3}, classes=4, size=25, seed=5)
    assert [stream.name for stream in spec.streams] == ["hsi", "rgb"]
    assert spec.streams[0].blocks == (BlockSpec(8, (3, 3, 3), window=(2, 2, 2)),)
    assert spec.fusion == (DenseSpec(32, dropout=0.25),)
    assert (spec.dtype, spec.seed, spec.classes) == ("float64", 5, 4)


def test_a_network_of_the_literature_by_name(tmp_path):
    config = read(tmp_path, SCENE + '[network]\npreset = "li"\nstart = "fan_in"')
    spec = config.network.spec({"hsi": 20, "rgb": 3}, classes=4, size=5, seed=0)
    assert [[block.filters for block in stream.blocks] for stream in spec.streams] == [[2, 4], [2, 4]]
    assert (spec.fusion, spec.start) == ((), "fan_in")


def test_single_modality(tmp_path):
    config = read(tmp_path, SCENE + '[network]\nmodalities = ["rgb"]')
    spec = config.network.spec({"hsi": 48, "rgb": 3}, classes=4, size=25, seed=0)
    assert spec.modalities == ("rgb",)


def test_json_round_trip(tmp_path):
    config = read(tmp_path, SCENE + "[training]\nepochs = 3\nrate = 1\n[layout.ranks]\n'hsi.block1' = 2")
    assert config_from_json(config.as_json(), "config.json") == config


@pytest.mark.parametrize("start", ["he", "glorot", "fan_in"])
def test_a_run_keeps_its_start_and_one_of_before_the_choice_hes(tmp_path, start):
    config = read(tmp_path, SCENE + f'[network]\nstart = "{start}"')
    assert config_from_json(config.as_json(), "config.json").network.start == start
    plain = json.loads(config.as_json())
    del plain["network"]["start"]
    assert config_from_json(json.dumps(plain), "config.json").network.start == "he"


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("[training]\nepoch = 3", "unknown key 'training.epoch'", "did you mean 'epochs'?"),
        ("[trainig]\nepochs = 3", "unknown key 'trainig'", "did you mean 'training'?"),
        ("[patches]\nxyzzy = 3", "unknown key 'patches.xyzzy'", "known here: size, per_class"),
        ('[patches]\nsize = "25"', "'patches.size' is \"25\"", "configuration"),
        ("[patches]\nsize = 0", "'patches.size' is 0", "configuration"),
        ('[patches]\nsplit = "blocks"', "'patches.split' is \"blocks\"", "configuration"),
        ("[patches]\nshares = [0.5, 0.5]", "'patches.shares", ""),
        ("[layout.ranks]\nhsi = -1", "'layout.ranks.hsi' is -1", "configuration"),
        ("[layout.ranks]\nhsi = [1, -1]", "'layout.ranks.hsi.1' is -1", "configuration"),
        ("[training]\nrate = inf", "'training.rate' is Infinity", "configuration"),
        ("[training]\ndecay = nan", "'training.decay' is NaN", "configuration"),
        (
            "[network.streams.hsi]\nblocks = [{filters = 8, kernal = [3, 3, 3]}]",
            "unknown key 'network.streams.hsi.blocks.0.kernal'",
            "did you mean 'kernel'?",
        ),
        (
            "[network.streams.hsi]\nblocks = [{filters = 8}]",
            "'network.streams.hsi.blocks.0.kernel' is missing",
            "",
        ),
    ],
)
def test_faults_name_the_key(tmp_path, text, problem, hint):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, SCENE + text)
    assert str(tmp_path / "mpmm.toml") in caught.value.problem
    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "'scene' is missing", "add it"),
        ("[scene]\n", "[scene] has no labels", 'preset = "dfc2018"'),
        ('[scene]\npreset = "dfc2019"', "'scene.preset' is \"dfc2019\"", ""),
        ("[scene", "not TOML", "configuration"),
        (SCENE.replace("scale = 1", "scal = 1"), "scene.modalities.hsi: unknown key 'scal'", "'scale'"),
        (SCENE.replace("file =", "files ="), "scene.labels: unknown key 'files'", "'file'"),
        (SCENE.replace('1 = "soil"', 'soil = "soil"'), "'soil' is no label id", "1 ="),
        (SCENE.replace("#0000ff", "blue"), "'blue'", "#rrggbb"),
        (SCENE.replace("[scene]", '[scene]\npreset = "dfc2018"'), "of its own", "keep the preset"),
    ],
)
def test_faults_of_the_scene(tmp_path, text, problem, hint):
    with pytest.raises(MpmmError) as caught:
        read(tmp_path, text)
    assert problem in caught.value.problem
    assert hint in caught.value.hint


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_config(tmp_path / "none.toml")
