"""How well a configuration learns: scores over several seeds, beside KNN and SVM on the same patches.

    python tests/learning/measure.py CONFIG [--seeds 0 1 2] [--only hsi] [--split random] [--part test]
    python tests/learning/measure.py CONFIG --kernels fast direct reference [--per-class 30] [--epochs 5]

Seed k draws split k and trains with seed k. The network scored is the one with the best validation
accuracy; baselines take no choice. With `--only` a network of that modality alone is trained on the very
patches that the whole network would get: a modality that covers less ground decides for all. With `--kernels`
the same trainings run once by each choice of kernels, which round differently.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from mpmm_kernels.runtime import available_threads
from rich.console import Console

import mpmm
from mpmm.commands.baselines import compare
from mpmm.network.spec import Kernels
from mpmm.patches import usable_centres
from mpmm.results.scores import Scores
from mpmm.settings.config import Config, load_config

Doubles = npt.NDArray[np.float64]

QUIET = Console(quiet=True)


@dataclass(frozen=True)
class Measured:
    """Scores of each method by seed, on one part of the split.

    Attributes
    ----------
    scores
        Method ("mpmm" is the network) -> one `Scores` a seed.
    seconds
        Of training, one a seed.
    """

    scores: Mapping[str, tuple[Scores, ...]]
    seconds: tuple[float, ...]

    def overall(self, method: str = "mpmm") -> Doubles:
        """Overall accuracy in percent, one a seed."""
        return np.array([100 * (each.overall_accuracy.value or 0) for each in self.scores[method]])

    def average(self, method: str = "mpmm") -> Doubles:
        """Average accuracy in percent, one a seed."""
        return np.array([100 * (each.average_accuracy or 0) for each in self.scores[method]])

    def kappa(self, method: str = "mpmm") -> Doubles:
        """Cohen's kappa, one a seed."""
        return np.array([each.kappa or 0 for each in self.scores[method]])

    def lead(self, method: str) -> Doubles:
        """Overall accuracy of the network minus that of a baseline, in percentage points, one a seed."""
        ahead: Doubles = self.overall() - self.overall(method)
        return ahead

    def confusion(self, method: str = "mpmm") -> Scores:
        """The patches of all seeds counted together."""
        first = self.scores[method][0]
        return Scores.from_confusion(
            np.sum([each.confusion for each in self.scores[method]], axis=0), first.classes
        )


def measure(
    config: Config, seeds: Iterable[int], *, only: str | None = None, part: str = "test", beside: bool = True
) -> Measured:
    """Train and score once a seed; ``beside`` scores the baselines too."""
    scores: dict[str, list[Scores]] = {}
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            seeded = with_seed(config, seed)
            if only is not None:
                seeded = alone(seeded, only, Path(folder) / f"labels-{seed}.tif")
            run = mpmm.fit(seeded, run=Path(folder) / str(seed), progress=False)
            if not run.summary_["finished"]:
                raise SystemExit(f"interrupted at seed {seed}: nothing was measured")
            found = {"mpmm": run.evaluate(part)}
            if beside:
                found |= compare(run.prepared, QUIET)[part]
            for method, each in found.items():
                scores.setdefault(method, []).append(each)
            seconds.append(run.summary_["seconds"])
    return Measured({method: tuple(each) for method, each in scores.items()}, tuple(seconds))


def with_seed(config: Config, seed: int) -> Config:
    """The configuration with this seed for the split and for training."""
    return replace(
        config, patches=replace(config.patches, seed=seed), training=replace(config.training, seed=seed)
    )


def alone(config: Config, modality: str, labels: Path) -> Config:
    """The network of one modality, on the patches where all of the network's modalities have data.

    `labels` is written: the scene's labels, without the pixels that cannot be the centre of such a patch.
    """
    assert config.scene.labels is not None
    scene = config.scene.align(config.network.modalities or None)
    usable = usable_centres([each.present for each in scene.modalities.values()], config.patches.size)
    ids = np.where(usable, scene.labels, config.scene.labels.ignore[0])
    grid = scene.grid
    with rasterio.open(
        labels,
        "w",
        driver="GTiff",
        height=grid.height,
        width=grid.width,
        count=1,
        dtype=ids.dtype,
        crs=grid.crs,
        transform=rasterio.Affine(*grid.transform),
    ) as raster:
        raster.write(ids, 1)
    kept = replace(config.scene.labels, file=str(labels), band=1, classes=scene.classes)
    return replace(
        config,
        scene=replace(config.scene, labels=kept),
        network=replace(
            config.network,
            modalities=(modality,),
            streams={name: each for name, each in config.network.streams.items() if name == modality},
        ),
    )


def report(measured: Measured, seeds: Sequence[int]) -> None:
    """Print the scores as a table of Markdown, the lead by seed, and the classes."""
    print("| method | overall accuracy % | average accuracy % | kappa | overall accuracy by seed |")
    print("| --- | --- | --- | --- | --- |")
    for method in measured.scores:
        overall, average, kappa = (
            spread(values, digits)
            for values, digits in (
                (measured.overall(method), 1),
                (measured.average(method), 1),
                (measured.kappa(method), 3),
            )
        )
        by_seed = " ".join(f"{value:.1f}" for value in measured.overall(method))
        print(f"| {method} | {overall} | {average} | {kappa} | {by_seed} |")
    for method in measured.scores:
        if method != "mpmm":
            lead = measured.lead(method)
            print(f"ahead of {method}: {spread(lead)} points, on {(lead > 0).sum()} of {len(seeds)} splits")
    print(f"training: {spread(np.array(measured.seconds), 0)} s each, seeds {' '.join(map(str, seeds))}")
    everything = measured.confusion()
    for each in everything.per_class:
        print(f"  {each.name}: {each.samples} patches, recall {each.recall}, precision {each.precision}")
    for count, true, guess in confusions(everything)[:6]:
        print(f"  {count} of {true} taken for {guess}")


def confusions(scores: Scores) -> list[tuple[int, str, str]]:
    """(count, true class, predicted class) of every confusion, the most frequent first."""
    return sorted(
        (
            (count, scores.classes[true], scores.classes[guess])
            for true, row in enumerate(scores.confusion)
            for guess, count in enumerate(row)
            if true != guess and count
        ),
        reverse=True,
    )


def report_kernels(config: Config, kernels: Sequence[Kernels], seeds: Sequence[int], part: str) -> None:
    """Print the overall accuracy by each choice of kernels, on the same splits from the same weights."""
    print("| kernels | overall accuracy % | overall accuracy by seed | seconds a training |")
    print("| --- | --- | --- | --- |")
    for each in kernels:
        chosen = replace(config, network=replace(config.network, kernels=each))
        measured = measure(chosen, seeds, part=part, beside=False)
        by_seed = " ".join(f"{value:.1f}" for value in measured.overall())
        seconds = spread(np.array(measured.seconds), 0)
        print(f"| {each} | {spread(measured.overall())} | {by_seed} | {seconds} |", flush=True)


def spread(values: Doubles, digits: int = 1) -> str:
    """Mean and, of two or more, their standard deviation."""
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {values.std(ddof=1):.{digits}f}"


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", metavar="MODALITY")
    parser.add_argument("--split", choices=("block", "random"))
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--kernels", nargs="+", choices=("fast", "direct", "reference"))
    parser.add_argument("--per-class", type=int, help="patches of a class, fewer than configured")
    parser.add_argument("--epochs", type=int, help="fewer than configured")
    parser.add_argument("--threads", type=int, default=available_threads())
    given = parser.parse_args()
    config = load_config(given.config)
    config = replace(config, layout=replace(config.layout, threads=given.threads))
    if given.split is not None:
        config = replace(config, patches=replace(config.patches, split=given.split))
    if given.per_class is not None:
        config = replace(config, patches=replace(config.patches, per_class=given.per_class, fraction=None))
    if given.epochs is not None:
        config = replace(config, training=replace(config.training, epochs=given.epochs))
    if given.kernels is not None:
        report_kernels(config, given.kernels, given.seeds, given.part)
        return
    report(measure(config, given.seeds, only=given.only, part=given.part), given.seeds)


if __name__ == "__main__":
    main()
