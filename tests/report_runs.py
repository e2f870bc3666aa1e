"""Run folders that are written, not trained: every file of a run over five ranks, with known figures.

from report_runs import whole_run, class_map
run = whole_run(tmp_path / "run", config)     # config: a small configuration of the tiny scene
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from mpmm.mapping import MapRaster, raster_specs, write_geotiff
from mpmm.patches import Split
from mpmm.placement import describe, layout_for, plan
from mpmm.preparation import Prepared, keep, prepare
from mpmm.results import MetricsLog, RunFolder, Scores, score, write_json
from mpmm.settings import Config, LayoutConfig, TrainingConfig, load_config

RANKS, STEPS, EPOCHS, BEGAN = 5, 10, 3, 1_700_000_000.0
_PREPARED: dict[str, tuple[Prepared, Split]] = {}
COMMAND = ["/venv/bin/mpmm", "train", "scene one/mpmm.toml", "--epochs", "3"]


def begun_run(path: Path, config: Path | Config, epochs: int = 0, ranks: int = RANKS) -> Prepared:
    """A run folder as it is while the run goes on: described, so many epochs logged, samples of its ranks."""
    settings = config if isinstance(config, Config) else load_config(config)
    prepared, split = _prepared(settings)
    folder = RunFolder.create(path)
    keep(prepared, split, folder)
    folder.write_config(settings.as_json(), None if isinstance(config, Config) else config.read_text())
    machine = {"host": "node0", "system": "Linux", "processor": "a CPU", "cores": 8, "memory": 16e9}
    versions = {"mpmm": "0.1.0", "numpy": "2.0"}
    folder.write_part(
        "environment", {"versions": versions, "machine": machine, "threads": 1, "command": COMMAND}
    )
    with MetricsLog(path) as log:
        for step in range(1, max(epochs, 1) * STEPS + 1):
            epoch = (step - 1) // STEPS + 1
            log.step(
                {
                    "step": step,
                    "epoch": epoch,
                    "loss": 3 / step,
                    "accuracy": 0.5,
                    "patches": 16,
                    "seconds": 0.5,
                }
            )
            if step % STEPS == 0 and epoch <= epochs:
                log.epoch(epoch_figures(epoch))
    write_samples(path, ranks)
    return prepared


def _prepared(settings: Config) -> tuple[Prepared, Split]:
    """As `prepare`, once for all runs of this process that draw the same patches for the same network."""
    drawn = replace(settings, training=TrainingConfig(seed=settings.training.seed), layout=LayoutConfig())
    key = drawn.as_json()
    if key not in _PREPARED:
        _PREPARED[key] = prepare(drawn)
    prepared, split = _PREPARED[key]
    return replace(prepared, config=settings), split


def epoch_figures(epoch: int) -> dict[str, object]:
    """What the log holds of an epoch."""
    return {
        "epoch": epoch,
        "step": epoch * STEPS,
        "train_loss": 3 / epoch,
        "train_accuracy": 1 - 0.6 / epoch,
        "rate": 0.01 / 2**epoch,
        "validation_loss": 3.2 / epoch,
        "validation_accuracy": 1 - 0.7 / epoch,
        "best": True,
        "seconds": 5.0 * epoch,
    }


def write_samples(path: Path, ranks: int, seconds: int = 30) -> None:
    """Samples of every rank, one a second: rank r computes with r / 10 cores and waits the rest."""
    (path / "monitor").mkdir()
    for rank in range(ranks):
        lines = [
            {
                "rank": rank,
                "time": BEGAN + second,
                "seconds": float(second),
                "cpu_computing": second * rank / 10,
                "cpu_waiting": 0.001 * second,
                "waiting": second * (1 - rank / 10),
                "resident_bytes": 200_000_000 + rank,
                "bytes_in": 1000 * second * rank,
                "bytes_out": 2000 * second * rank,
            }
            for second in range(seconds + 1)
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (path / "monitor" / f"rank-{rank}.jsonl").write_text(text)


def scores_of(prepared: Prepared, part: str, wrong: int) -> Scores:
    """Scores of a part of which the first so many patches were called the class after their own."""
    truth = prepared.parts[part].labels.astype(int)
    guess = truth.copy()
    guess[:wrong] = (guess[:wrong] + 1) % len(prepared.class_names)
    return score(truth, guess, prepared.class_names)


def whole_run(path: Path, config: Path) -> Path:
    """A finished run over five ranks, scored on its test patches beside a baseline."""
    prepared = ended_run(path, config)
    folder = path / "evaluation" / "test-best"
    folder.mkdir(parents=True)
    write_json(folder / "scores.json", scores_of(prepared, "test", 4).to_dict())
    write_json(path / "baselines.json", {"test": {"KNN": scores_of(prepared, "test", 20).to_dict()}})
    return path


def ended_run(path: Path, config: Path | Config, ranks: int = RANKS) -> Prepared:
    """A finished run, not yet scored by `mpmm evaluate`."""
    prepared = begun_run(path, config, EPOCHS, ranks)
    shape = describe(prepared.spec)
    plans = plan(shape, layout_for(shape, RANKS, "baseline"), batch=16) if ranks == RANKS else ()
    summary = {
        "finished": True,
        "ended": "3 epochs",
        "steps": EPOCHS * STEPS,
        "epochs": EPOCHS,
        "seconds": 75.5,
        "patches_per_second": 123.4,
        "parameters_sha256": "ab" * 32,
        "validation": scores_of(prepared, "validation", 10).to_dict(),
        "best": {"epoch": 3, "accuracy": 0.75},
        "layout": "baseline" if ranks == RANKS else "single",
        "ranks": ranks,
        "threads": [1] * ranks,
        "per_rank": [{"traffic": each.traffic.rows()} for each in plans],
    }
    RunFolder(path).write_part("run", summary)
    return prepared


def class_map(path: Path, run: Path, config: Path) -> Path:
    """A class map of the run's scene: each pixel has class 1 + (column modulo the number of classes)."""
    scene = load_config(config).scene.align([])
    ids = np.array([cover.id for cover in scene.classes], np.uint8)
    columns = np.broadcast_to(np.arange(scene.grid.width) % len(ids), scene.grid.shape)
    spec = raster_specs(scene.classes)[0]
    tags = {"MPMM_RUN": run.name, "MPMM_CHECKPOINT": "best"}
    raster = MapRaster(spec, ids[columns][None], scene.grid, scene.classes, tags)
    scratch = path.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    write_geotiff(path, raster, scratch)
    return path
