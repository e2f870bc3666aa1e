"""The five steps from a .mat file to a map, in docs/scene.md, are true: every command in them runs."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from scipy.io import savemat

from mpmm.commands import baselines, check, evaluate, train
from mpmm.commands import map as map_command

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scene.md").read_text()
COMMANDS = {
    "check": check.command,
    "train": train.command,
    "evaluate": evaluate.command,
    "baselines": baselines.command,
    "map": map_command.command,
}
ROWS, COLUMNS, BANDS = 30, 36, 32


def blocks(language: str) -> list[str]:
    """The section's blocks of a language, without their indent."""
    section = PAGE.split("## From a .mat file to a map")[1].split("\n## ")[0]
    texts = re.findall(rf"^ *```{language}\n(.*?)^ *```", section, re.S | re.M)
    return [re.sub(r"^   ", "", text, flags=re.M) for text in texts]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder: one .mat file, three classes whose spectra differ, and the page's configuration."""
    random = np.random.default_rng(0)
    truth = (np.arange(ROWS)[:, None] // 5 + np.arange(COLUMNS) // 6) % 3 + 1
    spectra = random.random((4, BANDS))
    cube = spectra[truth] + random.normal(0, 0.05, (ROWS, COLUMNS, BANDS))
    truth[0] = 0
    savemat(tmp_path / "scene.mat", {"cube": cube, "truth": truth.astype(np.uint8)}, do_compression=True)
    (text,) = blocks("toml")
    small = text.replace("epochs = 20", "epochs = 1\nbatch = 16").replace("per_class = 40", "per_class = 20")
    network = '[network]\nkernels = "reference"\n'
    (tmp_path / "scene.toml").write_text(
        small.replace("[network]\n", network).replace("filters = 8", "filters = 2")
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_runs(folder):
    lines = [shlex.split(line) for text in blocks("sh") for line in text.splitlines()]
    assert [line[1] for line in lines] == ["check", "train", "evaluate", "baselines", "map"]
    said = {}
    for _, name, *arguments in lines:
        done = CliRunner().invoke(COMMANDS[name], arguments)
        assert done.exit_code == 0, f"{name}: {done.output}\n{done.exception!r}"
        said[name] = done.output
    assert "scene.mat:cube" in said["check"]
    assert "overall accuracy" in said["evaluate"]
    with rasterio.open(folder / "classes.tif") as dataset:
        assert dataset.shape == (ROWS, COLUMNS)
        assert dataset.crs is None
        classes = dataset.read(1)
    assert set(np.unique(classes)) <= {0, 1, 2, 3}
    assert (classes[5:-5, 5:-5] > 0).all()
    for made in ("check.png", "classes.png", "runs/first/run.json"):
        assert (folder / made).stat().st_size > 0
