"""Five ranks on a real scene: HySpex (135 bands) and aerial RGB over Oberpfaffenhofen, as in one process."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi_runner import run_ranks
from small_runs import SMALL_NETWORK

from mpmm.runs import Run, fit

HYSU = Path(__file__).resolve().parents[3] / "shared" / "data" / "dlr_hysu"

pytestmark = [
    pytest.mark.mpi,
    pytest.mark.real,
    pytest.mark.skipif(not HYSU.is_dir(), reason=f"the DLR HySU scene is not in {HYSU}"),
]

CONFIG = f"""\
[scene]
folder = "{HYSU}"
cache = "cache"

[scene.labels]
file = "derived/hysu_landcover_photointerp.tif"

[scene.modalities.hsi]
files = ["HySpex/full_hs/Full.tif"]

[scene.modalities.rgb]
files = ["derived/DLR_HySU_3K_shifted.tif"]

[patches]
size = 9
per_class = 12

[network]
{SMALL_NETWORK}"""


def test_five_ranks_learn_a_real_scene_as_one_process_does(tmp_path):
    config = tmp_path / "hysu.toml"
    config.write_text(CONFIG)
    path = tmp_path / "run"
    ended = run_ranks(5, ["-m", "mpmm", "train", str(config), "--run", str(path)], 240)
    assert ended.code == 0, ended.err + ended.out
    alone = fit(config, run=tmp_path / "alone", progress=False)
    run = Run.open(path)
    assert run.summary_["parameters_sha256"] == alone.summary_["parameters_sha256"]
    assert run.scores_ is not None
    assert run.history_[-1]["train_loss"] < run.history_[0]["train_loss"]
