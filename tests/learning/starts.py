"""How fast a network learns by the variance of its initial weights: loss and accuracy of six epochs.

    python tests/learning/starts.py [--seeds 0 1 2 3 4] [--epochs 6] [--only samson ...] [--picture F]

Seed k draws split k and trains with seed k; the three starts get the same patches in the same order.
Accuracy is that of the validation patches. `town, paper` is the preset on the synthetic town, as a newcomer
meets it. With `--json F` the curves of several calls come together in a file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from learning_curves import draw
from measure import with_seed
from samson import SOURCE, write_samson

import mpmm
from mpmm.network import Start
from mpmm.scene import Scene
from mpmm.settings.config import Config, NetworkConfig, load_config
from mpmm.synthetic import write_synthetic

CONFIGS = Path(__file__).resolve().parents[2] / "launch" / "configs"
STARTS: tuple[Start, ...] = get_args(Start)
COLORS: dict[Start, str] = {"he": "#c03020", "glorot": "#2060c0", "fan_in": "#208040"}


def samson(folder: Path) -> Config:
    """The samson scene and its ready network, 300 patches a class."""
    write_samson(folder / "samson")
    config = load_config(CONFIGS / "samson.toml")
    return _fewer(replace(config, scene=replace(config.scene, folder=folder / "samson")), 300)


def hysu(folder: Path) -> Config:
    """The HySU scene and its ready network."""
    config = load_config(CONFIGS / "dlr_hysu.toml")
    scene = replace(config.scene, folder=SOURCE.parent / "dlr_hysu", cache=folder / "hysu")
    return replace(config, scene=scene)


def town(folder: Path) -> Config:
    """The small synthetic town with the network of launch/configs/synthetic.toml, 60 patches a class."""
    if not (folder / "town").exists():
        write_synthetic(folder / "town", "small", 0)
    find = Scene.dfc2018
    Scene.dfc2018 = lambda _, **settings: find(folder / "town", **settings)
    try:
        return _fewer(load_config(CONFIGS / "synthetic.toml"), 60)
    finally:
        Scene.dfc2018 = find


def paper_town(folder: Path) -> Config:
    """The same town with the preset `paper`, 25 patches a class of 19 x 19 pixels."""
    config = _fewer(town(folder), 25)
    network = NetworkConfig(modalities=config.network.modalities)
    return replace(config, network=network, patches=replace(config.patches, size=19))


SCENES: dict[str, Callable[[Path], Config]] = {
    "hysu": hysu,
    "samson": samson,
    "town": town,
    "town, paper": paper_town,
}


def _fewer(config: Config, per_class: int) -> Config:
    return replace(config, patches=replace(config.patches, per_class=per_class, fraction=None))


def learn(config: Config, start: Start, seed: int, epochs: int) -> list[tuple[float, float]]:
    """Training loss and validation accuracy in percent after each epoch."""
    config = with_seed(config, seed)
    config = replace(
        config,
        network=replace(config.network, start=start),
        training=replace(config.training, epochs=epochs),
        layout=replace(config.layout, threads=1),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = mpmm.fit(config, run=Path(folder) / "run", progress=False)
        return [
            (float(epoch["train_loss"]), 100 * float(epoch["validation_accuracy"])) for epoch in run.history_
        ]


def main() -> None:
    """Read the command line, measure, print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--only", nargs="+", choices=SCENES, default=list(SCENES))
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--json", type=Path, help="add to what is there")
    given = parser.parse_args()
    curves: dict[str, dict[str, np.ndarray]] = {}
    if given.json is not None and given.json.exists():
        kept = json.loads(given.json.read_text())
        curves = {
            scene: {start: np.array(values) for start, values in each.items()} for scene, each in kept.items()
        }
    print(
        "| scene | start | training loss | validation accuracy % | by seed |\n| --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as folder:
        for scene in given.only:
            config = SCENES[scene](Path(folder))
            for start in STARTS:
                values = np.array([learn(config, start, seed, given.epochs) for seed in given.seeds])
                curves.setdefault(scene, {})[start] = values
                loss, accuracy = values[:, -1, 0], values[:, -1, 1]
                by_seed = " ".join(f"{value:.1f}" for value in accuracy)
                print(
                    f"| {scene} | {start} | {loss.mean():.3f} ± {loss.std(ddof=1):.3f} "
                    f"| {accuracy.mean():.1f} ± {accuracy.std(ddof=1):.1f} | {by_seed} |",
                    flush=True,
                )
                if given.json is not None:
                    plain = {name: {s: v.tolist() for s, v in each.items()} for name, each in curves.items()}
                    given.json.write_text(json.dumps(plain))
    if given.picture is not None:
        draw(curves, given.picture, list(COLORS.values()))


if __name__ == "__main__":
    main()
