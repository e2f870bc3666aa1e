"""The README is true: every command and program in it runs, every link leads somewhere."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from scenes import tiny_scene
from small_runs import SMALL_NETWORK

from mpmm.commands import program
from mpmm.results import read_log
from mpmm.settings.config import load_config

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, re.S | re.M)
    return [re.sub(rf"^{indent}", "", text, flags=re.M) for indent, text in found]


def commands() -> list[str]:
    return [
        line.split("  #")[0].strip() for text in blocks("sh") for line in text.splitlines() if line.strip()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def _write(path: Path, values: np.ndarray, size: float) -> None:
    """A GeoTIFF of (bands, rows, columns) with the upper-left corner at a fixed place."""
    profile = {
        "driver": "GTiff",
        "count": values.shape[0],
        "height": values.shape[1],
        "width": values.shape[2],
        "dtype": values.dtype.name,
        "crs": "EPSG:26915",
        "transform": Affine(size, 0, 272056, 0, -size, 3290290),
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(values)


@pytest.fixture
def rasters(tmp_path: Path) -> Path:
    """A user's folder: labels, HSI and RGB on grids of their own, cut from the synthetic scene."""
    aligned = load_config(tiny_scene(tmp_path / "synthetic")).scene.align()
    folder = tmp_path / "mine"
    folder.mkdir()
    _write(folder / "labels.tif", np.maximum(aligned.labels, 0).astype(np.uint8)[None], 0.5)
    hsi = aligned.modalities["hsi"].values.transpose(2, 0, 1)
    _write(folder / "hsi.tif", np.ascontiguousarray(hsi[:, ::2, ::2]), 1.0)
    rgb = aligned.modalities["rgb"].values.transpose(2, 0, 1).astype(np.uint8)
    _write(folder / "rgb.tif", np.repeat(np.repeat(rgb, 2, 1), 2, 2), 0.25)
    toml = blocks("toml")[0].replace("per_class = 100", "per_class = 20").replace('"block"', '"random"')
    (folder / "scene.toml").write_text(toml)
    (folder / "hosts").write_text("localhost slots=5\n")
    shutil.copytree(ROOT / "launch", folder / "launch")
    return folder


def run(folder: Path, line: str, limit: float) -> str:
    programs = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "MPMM_BIN": str(programs),
        "DEMO": str(folder / "demo"),
        "SIZE": "tiny",
        "EPOCHS": "1",
    }
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def run_here(line: str) -> None:
    done = CliRunner().invoke(program, shlex.split(line)[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"


@pytest.mark.mpi
@pytest.mark.xdist_group("long jobs")
def test_the_five_steps(rasters, monkeypatch):
    """With the README's own settings what looks and plans, the rest with a network that learns in seconds.

    The paper's network, which is meant where none is named, goes all the way in `test_make_demo`, and there
    each command is a process of its own; here only ranks are.
    """
    monkeypatch.chdir(rasters)
    mine = [line for line in commands() if not line.startswith("make")]
    assert len(mine) == 9
    scene = rasters / "scene.toml"
    own = scene.read_text()
    small = own.replace("[patches]", f"[network]\n{SMALL_NETWORK}\n[patches]\nsize = 9")
    for line in mine:
        only_looks = line.startswith(("mpmm check", "mpmm plan"))
        scene.write_text(own if only_looks else small.replace("epochs = 2", "epochs = 1"))
        line = line.replace("--epochs 40", "--epochs 2")
        # on any number of ranks
        trained = (rasters / "runs/cluster").exists()
        line = line.replace("-np 5", "-np 2") if trained else line
        if line.startswith("mpmm "):
            run_here(line)
        else:
            run(rasters, line, limit=300)
    assert len(read_log(rasters / "runs/cluster")) > len(read_log(rasters / "runs/first"))
    for made in ("check.png", "classes.tif", "classes.png", "runs/first/run.json", "runs/cluster/run.json"):
        assert (rasters / made).stat().st_size > 0


@pytest.mark.mpi
@pytest.mark.xdist_group("long jobs")
def test_make_demo(tmp_path):
    """The demo itself at its smallest; `make test` is what runs this test, after the same set-up."""
    asked = [line for line in commands() if line.startswith("make")]
    assert asked == ["make demo", "make test"]
    said = run(tmp_path, f"bash {ROOT / 'launch' / 'demo'}", limit=600)
    assert "overall accuracy" in said
    names = re.findall(rf"^  ({re.escape(str(tmp_path))}\S+) ", said, re.M)
    assert len(names) == 6
    for name in names:
        assert Path(name).exists(), name
    assert (tmp_path / "demo" / "map.png").stat().st_size > 10_000
    report = tmp_path / "demo" / "report.html"
    assert said.splitlines()[-1] == str(report)
    assert 'data-layer="map"' in report.read_text(encoding="utf-8")


def test_the_library_in_ten_lines(rasters, monkeypatch, capsys):
    monkeypatch.chdir(rasters)
    (text,) = blocks("python")
    assert len([line for line in text.splitlines() if line.strip()]) <= 11
    exec(compile(text.replace("epochs=20", "epochs=1").replace("=100", "=20"), "README.md", "exec"), {})
    assert "hsi.block1" in capsys.readouterr().out
