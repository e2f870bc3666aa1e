"""The ready configurations, with scene and cache in a test's own folder, on one thread.

Such small networks gain little by a second one, and lose much where another process wants the core.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from samson import SOURCE, write_samson

from mpmm.scene import Scene
from mpmm.settings.config import Config, load_config
from mpmm.synthetic import write_synthetic

CONFIGS = Path(__file__).resolve().parents[2] / "launch" / "configs"
DATA = SOURCE.parent
# the whole of what docs/results.md measures, or what fits into a minute
FULL = os.environ.get("MPMM_FULL") == "1"

needs_samson = pytest.mark.skipif(not SOURCE.is_dir(), reason="needs the samson scene in ../shared/data")
needs_hysu = pytest.mark.skipif(
    not (DATA / "dlr_hysu").is_dir(), reason="needs the HySU scene in ../shared/data"
)


def samson_config(folder: Path) -> Config:
    """launch/configs/samson.toml on rasters in `folder`."""
    write_samson(folder)
    config = load_config(CONFIGS / "samson.toml")
    return on_one_thread(replace(config, scene=replace(config.scene, folder=folder)))


def hysu_config(folder: Path) -> Config:
    """launch/configs/dlr_hysu.toml, its aligned scene in `folder`."""
    config = load_config(CONFIGS / "dlr_hysu.toml")
    return on_one_thread(replace(config, scene=replace(config.scene, cache=folder)))


def synthetic_config(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """launch/configs/synthetic.toml on a small town in `folder`."""
    write_synthetic(folder, "small", 0)
    find = Scene.dfc2018
    monkeypatch.setattr(Scene, "dfc2018", lambda _, **settings: find(folder, **settings))
    return on_one_thread(load_config(CONFIGS / "synthetic.toml"))


def on_one_thread(config: Config) -> Config:
    """The same results, as everywhere."""
    return replace(config, layout=replace(config.layout, threads=1))
