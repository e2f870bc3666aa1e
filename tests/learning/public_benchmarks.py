"""Published networks on public scenes: mean and deviation of several splits, beside the baselines.

    python tests/learning/public_benchmarks.py launch/configs/samson.toml --size 5 --per-class 300 --epochs 20
    python tests/learning/public_benchmarks.py indian_pines.toml --presets hybridsn li --runs 10

Scene, patches and training are those of the configuration, the network is each preset's, on the bands of
`--modality` alone. Run k draws split k and trains with seed k; its checkpoint is the one with the best
validation accuracy, and what is told is of the test part. Baselines get the same patches, and no choice is
made for them. Each run's scores are kept in `--folder` as they come: the same command goes on where it was
interrupted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from measure import QUIET, spread, with_seed

import mpmm
from mpmm.commands.baselines import compare
from mpmm.network import Preset
from mpmm.patches import PARTS
from mpmm.results import Scores, write_json
from mpmm.settings import Config, NetworkConfig, load_config

PRESETS: tuple[Preset, ...] = ("hybridsn", "hamida", "li")
# what a run is kept as: scores and seconds by method, the split's facts, and what was asked for
Kept = Mapping[str, Any]


def with_preset(config: Config, preset: Preset, modality: str) -> Config:
    """The configuration with a preset's network of one modality."""
    own = config.network
    network = NetworkConfig(preset=preset, modalities=(modality,), kernels=own.kernels, start=own.start)
    return replace(config, network=network)


def measured(config: Config, presets: Sequence[Preset], modality: str, seed: int) -> dict[str, Any]:
    """Train each preset on split `seed`, and score it and the baselines on the test part."""
    kept: dict[str, Any] = {"scores": {}, "seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        for preset in presets:
            chosen = with_preset(with_seed(config, seed), preset, modality)
            run = mpmm.fit(chosen, run=Path(folder) / preset, progress=False)
            if not run.summary_["finished"]:
                raise SystemExit(f"interrupted at run {seed}: the same command goes on")
            kept["scores"][preset] = run.evaluate("test").to_dict()
            kept["seconds"][preset] = run.summary_["seconds"]
        beside = compare(run.prepared, QUIET)["test"]
        kept["scores"] |= {method: scores.to_dict() for method, scores in beside.items()}
        kept["split"] = json.loads((run.folder / "split.json").read_text(encoding="utf-8"))
    return kept


def table(runs: Sequence[Kept]) -> list[str]:
    """Lines of Markdown: each method's mean and deviation over the runs, and what they rest on."""
    lines = ["| method | overall accuracy % | average accuracy % | kappa |", "| --- | --- | --- | --- |"]
    for method in runs[0]["scores"]:
        scores = [Scores.from_dict(run["scores"][method]) for run in runs]
        overall = np.array([100 * (each.overall_accuracy.value or 0) for each in scores])
        average = np.array([100 * (each.average_accuracy or 0) for each in scores])
        kappa = np.array([each.kappa or 0 for each in scores])
        lines.append(f"| {method} | {spread(overall)} | {spread(average)} | {spread(kappa, 3)} |")
    return [*lines, "", facts(runs)]


def facts(runs: Sequence[Kept]) -> str:
    """What the figures of a table rest on, in a sentence."""
    splits = [run["split"] for run in runs]
    kind, size = splits[0]["kind"], splits[0]["size"]
    counts = {part: np.array([float(split["counts"][part]) for split in splits]) for part in PARTS}
    patches = ", ".join(f"{spread(each, 0)} {part}" for part, each in counts.items())
    leak = spread(np.array([100 * split["leak"]["test"] for split in splits]))
    seconds = ", ".join(
        f"{preset} {spread(np.array([run['seconds'][preset] for run in runs]), 0)} s"
        for preset in runs[0]["seconds"]
    )
    return (
        f"{len(runs)} runs, {kind} split, {size} x {size} pixels; patches: {patches}; {leak}% of the test "
        f"patches share pixels with a training patch. A training: {seconds}."
    )


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--presets", nargs="+", choices=get_args(Preset), default=PRESETS)
    parser.add_argument("--modality", default="hsi")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--size", type=int, help="rows and columns of a patch, other than configured")
    parser.add_argument("--per-class", type=int, help="patches of a class, other than configured")
    parser.add_argument("--epochs", type=int, help="other than configured")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="of the scores; by default runs/public/<name of CONFIG>")
    return parser.parse_args()


def settings(given: argparse.Namespace) -> Config:
    """The configuration as the command line changes it."""
    config = load_config(given.config)
    patches, training = config.patches, config.training
    drawn = {} if given.per_class is None else {"per_class": given.per_class, "fraction": None}
    return replace(
        config,
        patches=replace(patches, size=given.size or patches.size, **drawn),
        training=replace(training, epochs=given.epochs or training.epochs),
        layout=replace(config.layout, threads=given.threads),
    )


def asked(config: Config, given: argparse.Namespace) -> dict[str, Any]:
    """What decides the scores, as JSON holds it: kept beside them, so that no others are mixed in."""
    tables = json.loads(config.as_json())
    of_settings = {name: tables[name] for name in ("patches", "training")}
    of_network = {name: tables["network"][name] for name in ("start", "kernels")}
    return {"presets": [*given.presets], "modality": given.modality, **of_settings, **of_network}


def main() -> None:
    """Measure the runs that are not there yet, and print the table of all."""
    given = options()
    config, folder = settings(given), given.folder or Path("runs/public") / given.config.stem
    wanted = asked(config, given)
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed in range(given.runs):
        path = folder / f"run-{seed}.json"
        if not path.is_file():
            kept = measured(config, given.presets, given.modality, seed)
            write_json(path, kept | {"asked": wanted})
        runs.append(json.loads(path.read_text(encoding="utf-8")))
        if runs[-1]["asked"] != wanted:
            raise SystemExit(f"{path}: was measured with other settings; name another --folder")
    print("\n".join(table(runs)))


if __name__ == "__main__":
    main()
