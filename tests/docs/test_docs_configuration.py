"""docs/configuration.md is true: its examples load, name every key, and show the defaults."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from mpmm.commands.config import (
    Config,
    LayoutConfig,
    NetworkConfig,
    PatchesConfig,
    TrainingConfig,
    load_config,
)
from mpmm.commands.scene_table import SceneTable
from mpmm.network.spec import BlockSpec, DenseSpec
from mpmm.scene import Labels, Modality, Scene

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.S)
TABLES = [PatchesConfig, NetworkConfig, TrainingConfig, LayoutConfig, SceneTable, Labels, Modality]


@pytest.fixture(autouse=True)
def _contest_files_are_elsewhere(monkeypatch):
    """The preset looks for its files at once; they need a registration, so a scene stands in for them."""

    def found(folder: Path, *, lidar: bool, cache: Path | None) -> Scene:
        return Scene(folder, Labels("labels.tif"), (Modality("hsi", ("hsi.tif",)),), cache)

    monkeypatch.setattr(Scene, "dfc2018", found)


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_loads(tmp_path, text):
    (tmp_path / "mpmm.toml").write_text(text)
    assert isinstance(load_config(tmp_path / "mpmm.toml"), Config)


@pytest.mark.parametrize("table", [*TABLES, BlockSpec, DenseSpec], ids=lambda table: table.__name__)
def test_every_key_is_shown(table):
    shown = set(re.findall(r"\b([a-z_]+)\s*=", "\n".join(EXAMPLES)))
    headed = {part for head in re.findall(r"\[([a-z.]+)\]", "\n".join(EXAMPLES)) for part in head.split(".")}
    # the name stands in the table's head; ranks are explained with the layouts
    given = {field.name for field in fields(table)} - {"name", "ranks"}
    assert given <= shown | headed


def test_defaults_shown_are_the_defaults(tmp_path):
    text = next(example for example in EXAMPLES if "[patches]" in example)
    (tmp_path / "mpmm.toml").write_text(text)
    config = load_config(tmp_path / "mpmm.toml")
    assert config.patches == PatchesConfig()
    assert config.network == NetworkConfig()
    assert config.training == TrainingConfig()
    assert config.layout == LayoutConfig()
    assert "scene" in tomllib.loads(text)
