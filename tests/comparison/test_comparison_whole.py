"""`mpmm compare --quick` as a user runs it, on the synthetic scene and on HySU.

In the suite with plain kernels and some of the experiments, jobs of one process done in this one, the
largest and the smallest batch; with MPMM_FULL=1 all of it, on HySU with its own kernels: minutes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from comparison_checks import differences, rows_of
from comparison_runs import done_here

from mpmm.commands import compare, report
from mpmm.comparison import EXPERIMENTS, paper, study

HYSU = Path(__file__).resolve().parents[3] / "shared" / "data" / "dlr_hysu"
CONFIG = Path(__file__).resolve().parents[2] / "launch" / "configs" / "dlr_hysu.toml"
FULL = bool(os.environ.get("MPMM_FULL"))

pytestmark = [pytest.mark.slow, pytest.mark.mpi]


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """What takes longest of a small comparison: to start Python and ranks."""
    if not FULL:
        monkeypatch.setattr(study, "launch", done_here)
        monkeypatch.setattr(paper, "BATCHES", (paper.BATCHES[0], paper.BATCHES[-1]))


def hysu_config(folder: Path) -> Path:
    """HySU's own configuration; in the suite with two epochs and kernels that need no compiling."""
    text = CONFIG.read_text()
    text = re.sub(r'^folder = ".*"', f'folder = "{HYSU}"', text, flags=re.M)
    text = re.sub(r'^cache = ".*"', f'cache = "{folder / "cache"}"', text, flags=re.M)
    if not FULL:
        text = text.replace("epochs = 60", "epochs = 2").replace(
            "[network]", '[network]\nkernels = "reference"'
        )
    path = folder / "hysu.toml"
    path.write_text(text)
    return path


def compared(config: Path, folder: Path, names: tuple[str, ...]) -> str:
    only = [] if FULL else [word for name in names for word in ("--only", name)]
    arguments = [str(config), "--quick", *only, "--out", str(folder)]
    return CliRunner().invoke(compare.command, arguments, catch_exceptions=False).output


def check_comparison(folder: Path, names: tuple[str, ...]) -> None:
    """Each experiment is there, its numbers are those of the logs, and the report shows them."""
    done = {path.parent.name for path in folder.glob("experiments/*/outcome.json")}
    assert done == set(EXPERIMENTS if FULL else names)
    assert differences(folder) == []
    CliRunner().invoke(report.command, [str(folder)], catch_exceptions=False)
    assert "Table 2" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_synthetic_scene(config, tmp_path):
    names = ("fusion", "rivals", "splits", "batches")
    said = compared(config, tmp_path / "out", names)
    assert "training" in said
    check_comparison(tmp_path / "out", names)
    traffic = rows_of(tmp_path / "out" / "experiments" / "batches" / "figure10.csv")
    per_patch = [float(row["kB a patch"]) for row in traffic]
    assert per_patch == sorted(per_patch, reverse=True)
    again = compared(config, tmp_path / "out", names)
    assert "training" not in again
    assert "scoring" not in again


@pytest.mark.real
@pytest.mark.xdist_group("long jobs")
@pytest.mark.skipif(not HYSU.is_dir(), reason="HySU is not at hand")
def test_hysu(tmp_path):
    names = ("fusion", "splits")
    compared(hysu_config(tmp_path), tmp_path / "out", names)
    check_comparison(tmp_path / "out", names)
