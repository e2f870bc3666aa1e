"""docs/configuration.md is true: its examples load, name every key, and show the defaults."""

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from mpmm.network.block_spec import BlockSpec, DenseSpec, JoinSpec
from mpmm.scene import Labels, Modality, Scene
from mpmm.settings import scene_table
from mpmm.settings.config import (
    Config,
    LayoutConfig,
    NetworkConfig,
    PatchesConfig,
    TrainingConfig,
    load_config,
)
from mpmm.settings.scene_table import SceneTable

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.S)
TABLES = [PatchesConfig, NetworkConfig, TrainingConfig, LayoutConfig, SceneTable, Labels, Modality]


@pytest.fixture(autouse=True)
def _contest_files_are_elsewhere(monkeypatch):
    """The preset looks for its files at once; they need a registration, so a scene stands in for them."""

    def found(folder: Path, *, cache: Path | None, **_: bool) -> Scene:
        return Scene(folder, Labels("labels.tif"), (Modality("hsi", ("hsi.tif",)),), cache)

    monkeypatch.setattr(Scene, "dfc2018", found)
    monkeypatch.setattr(scene_table, "benchmark_scene", lambda _, folder, **keys: found(folder, **keys))


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_loads(tmp_path, text):
    (tmp_path / "mpmm.toml").write_text(text)
    assert isinstance(load_config(tmp_path / "mpmm.toml"), Config)


@pytest.mark.parametrize("table", [*TABLES, BlockSpec, JoinSpec, DenseSpec], ids=lambda table: table.__name__)
def test_every_key_is_shown(table):
    shown = set(re.findall(r"\b([a-z_]+)\s*=", "\n".join(EXAMPLES)))
    headed = {part for head in re.findall(r"\[([a-z.]+)\]", "\n".join(EXAMPLES)) for part in head.split(".")}
    # the name stands in the table's head
    given = {field.name for field in fields(table)} - {"name"}
    assert given <= shown | headed


@pytest.mark.parametrize("table", [*TABLES, BlockSpec, JoinSpec, DenseSpec], ids=lambda table: table.__name__)
def test_every_choice_is_named(table):
    choices = {choice for hint in get_type_hints(table).values() for choice in _choices(hint)}
    assert [choice for choice in choices if f'"{choice}"' not in PAGE.read_text()] == []


def _choices(hint: object) -> set[str]:
    """The words that a type allows, also inside unions and tuples."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return {choice for inner in get_args(hint) for choice in _choices(inner)}


@pytest.mark.parametrize("key", ["stride", "padding", "activation", "pool", "batch_norm", "after", "dropout"])
def test_the_table_of_blocks_shows_the_defaults(key):
    default = re.search(rf"^\| `{key}`[^|]*\| `([^`]+)`", PAGE.read_text(), re.M)
    assert default is not None
    value = getattr(BlockSpec(1, (1, 1, 1)), key)
    assert json.loads(default[1]) == (list(value) if isinstance(value, tuple) else value)


def test_defaults_shown_are_the_defaults(tmp_path):
    text = next(example for example in EXAMPLES if "[patches]" in example)
    (tmp_path / "mpmm.toml").write_text(text)
    config = load_config(tmp_path / "mpmm.toml")
    assert config.patches == PatchesConfig()
    assert config.network == NetworkConfig()
    assert config.training == TrainingConfig()
    assert config.layout == LayoutConfig()
    assert "scene" in tomllib.loads(text)
