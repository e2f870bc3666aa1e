"""What each default of training is worth: loss and accuracy with it and with what others take instead.

    python tests/learning/defaults.py [--seeds 0 1 2 3 4] [--epochs 10] [--only samson ...] [--vary bias ...]
        [--json F] [--picture F]

Seed k draws split k and trains with seed k, everything else as in the ready configuration but for the one
setting that is varied. Accuracy is that of the validation patches after the last epoch, its lead over the
defaults is on the same split and seed. Batches for the choice of a short last one are of the size, from the
configured one on, that leaves two to six patches over.
"""

from __future__ import annotations

import argparse
import functools
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from learning_curves import draw
from matplotlib import colormaps
from measure import with_seed
from starts import SCENES

import mpmm
from mpmm.mapping import layer_stages
from mpmm.network import Adam, batchnorm
from mpmm.network.initialisation import Initializer
from mpmm.preparation import prepare
from mpmm.runs import roles
from mpmm.settings import Config


@dataclass(frozen=True)
class Variant:
    """A change of one default.

    Attributes
    ----------
    training
        Settings under ``[training]``.
    patches
        What stands in for a constant of the code: module, name, other value.
    short
        Whether the batch is one that leaves a few patches over.
    """

    training: dict[str, Any] = field(default_factory=dict)
    patches: tuple[tuple[Any, str, Any], ...] = ()
    short: bool = False


def drawn_biases() -> tuple[tuple[Any, str, Any], ...]:
    """Biases from where PyTorch's start: uniform within 1 / sqrt(fan_in); beta of batch-norm stays 0."""
    plain = Initializer.weights
    last: dict[str, tuple[str, int]] = {}

    def weights(self: Initializer, name: str, shape: Any, fan_in: int, fan_out: int, activation: str) -> Any:
        last["layer"] = name, fan_in
        return plain(self, name, shape, fan_in, fan_out, activation)

    def zeros(self: Initializer, length: int) -> Any:
        if "layer" not in last:
            return np.zeros(length, self.dtype)
        name, fan_in = last.pop("layer")
        bias = replace(self, start="fan_in")
        return plain(bias, f"{name}.bias", (length,), fan_in, 1, "none")

    return (Initializer, "weights", weights), (Initializer, "zeros", zeros)


def kept_statistics(share: float) -> tuple[tuple[Any, str, Any], ...]:
    """Running statistics that keep this share of themselves at each step."""
    return ((roles, "Adam", functools.partial(Adam, average=share)),)


def epsilon(value: float) -> tuple[tuple[Any, str, Any], ...]:
    """Batch-norm's epsilon, where it is trained and where maps read it."""
    return (batchnorm, "EPSILON", value), (layer_stages, "EPSILON", value)


VARIANTS: dict[str, Variant] = {
    "defaults": Variant(),
    "bias": Variant(patches=drawn_biases()),
    "momentum 0.99": Variant(patches=kept_statistics(0.99)),
    "momentum 0.8": Variant(patches=kept_statistics(0.8)),
    "epsilon 1e-3": Variant(patches=epsilon(1e-3)),
    "smoothing 0.1": Variant({"label_smoothing": 0.1}),
    "decay 0": Variant({"decay": 0.0}),
    "decay 0.01": Variant({"decay": 0.01}),
    "decay 0.05": Variant({"decay": 0.05}),
    "clip 1": Variant({"clip_norm": 1.0}),
    "cosine": Variant({"schedule": "cosine"}),
    "short batch": Variant(short=True),
    "short batch dropped": Variant({"drop_last": True}, short=True),
}


@contextmanager
def patched(patches: tuple[tuple[Any, str, Any], ...]) -> Iterator[None]:
    """Put other values in, and the own back at the end."""
    if not patches:
        yield
        return
    target, name, value = patches[0]
    with patch.object(target, name, value), patched(patches[1:]):
        yield


def learn(config: Config, variant: Variant, seed: int, epochs: int) -> list[tuple[float, float]]:
    """Training loss and validation accuracy in percent after each epoch."""
    config = with_seed(config, seed)
    batch = short_batch(config) if variant.short else config.training.batch
    training = replace(config.training, epochs=epochs, batch=batch, **variant.training)
    config = replace(config, training=training, layout=replace(config.layout, threads=1))
    with tempfile.TemporaryDirectory() as folder, patched(variant.patches):
        run = mpmm.fit(config, run=Path(folder) / "run", progress=False)
        if not run.summary_["finished"]:
            raise SystemExit("interrupted: with --json the same command goes on")
        return [
            (float(epoch["train_loss"]), 100 * float(epoch["validation_accuracy"])) for epoch in run.history_
        ]


def short_batch(config: Config) -> int:
    """The batch, from the configured one on, that leaves two to six of the training patches over."""
    count = len(prepare(config)[0].parts["train"])
    return next(batch for batch in range(config.training.batch, count) if 2 <= count % batch <= 6)


def line(scene: str, name: str, values: np.ndarray, base: np.ndarray) -> str:
    """A row of the table: loss, accuracy, and by how much they differ from the defaults'."""
    loss, accuracy = values[:, -1, 0], values[:, -1, 1]
    ahead = accuracy - base[: len(accuracy), -1, 1]
    return (
        f"| {scene} | {name} | {loss.mean():.3f} ± {loss.std(ddof=1):.3f} "
        f"| {accuracy.mean():.1f} ± {accuracy.std(ddof=1):.1f} "
        f"| {ahead.mean():+.1f} ± {ahead.std(ddof=1):.1f} "
        f"| {' '.join(f'{value:+.1f}' for value in ahead)} |"
    )


def main() -> None:
    """Read the command line, measure, print a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=SCENES, default=["samson", "hysu", "town"])
    parser.add_argument("--vary", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--json", type=Path, help="what was measured is added to, and not measured again")
    parser.add_argument("--picture", type=Path, help="loss and accuracy by epoch, a column a scene")
    given = parser.parse_args()
    kept: dict[str, Any] = json.loads(given.json.read_text()) if given.json and given.json.exists() else {}
    scenes: dict[str, Callable[[Path], Config]] = {scene: SCENES[scene] for scene in given.only}
    print(
        "| scene | varied | training loss | validation accuracy % | ahead of the defaults | by seed |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    measured: dict[str, dict[str, np.ndarray]] = {scene: {} for scene in scenes}
    with tempfile.TemporaryDirectory() as folder:
        for scene, build in scenes.items():
            config = functools.cache(functools.partial(build, Path(folder)))
            for name in dict.fromkeys(("defaults", *given.vary)):
                curves = kept.setdefault(f"{scene}: {name}", [])
                for seed in given.seeds[len(curves) :]:
                    curves.append(learn(config(), VARIANTS[name], seed, given.epochs))
                    if given.json:
                        given.json.write_text(json.dumps(kept))
                measured[scene][name] = np.array(curves)
                print(line(scene, name, measured[scene][name], measured[scene]["defaults"]), flush=True)
    if given.picture is not None:
        draw(measured, given.picture, ["black", *colormaps["tab20"].colors[::2]], ["defaults"])


if __name__ == "__main__":
    main()
