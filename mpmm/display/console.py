"""What a run says of itself in lines: before its first step and after its last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from rich.console import Console as Console

# rooms as a whole, whose files are loaded where a run is described: not every command that prints does
from mpmm import preparation, scene
from mpmm.display.ticker import SECONDS_BETWEEN_LINES, ticking
from mpmm.results import percent

if TYPE_CHECKING:
    from mpmm.network import Network
    from mpmm.patches import Split
    from mpmm.preparation import Prepared
    from mpmm.results import Scores
    from mpmm.scene import SceneRows


def say(console: Console, label: str, text: str) -> None:
    """Print a line: a label in a column of its own, then text; never wrapped, nor coloured by its content."""
    console.print(f"{label:<10} {text}", highlight=False, markup=False, soft_wrap=True)


def telling(console: Console) -> AbstractContextManager[Callable[[str, float], None]]:
    """A receiver of the scene's progress: modality and share of it that is on the label grid."""
    return ticking(console, _aligning, "reading the scene")


def _aligning(name: str) -> str:
    return f"{'aligning':<11}{name} onto the label grid (once; kept in the scene's cache)"


def compiling(console: Console, subject: str = "the kernels") -> Callable[[float], None]:
    """A receiver of the share that is compiled: a line at the start, and one every few seconds."""
    spoke = -math.inf

    def report(share: float) -> None:
        """Say how far compiling is, unless that was said just now."""
        nonlocal spoke
        if time.monotonic() - spoke >= SECONDS_BETWEEN_LINES:
            far = f": {100 * share:.0f}%" if share else ""
            say(console, "compiling", f"{subject}, once on this machine{far}")
            spoke = time.monotonic()

    return report


def say_scene(console: Console, prepared: Prepared) -> None:
    """Say how large the scene is, its classes and bands, and how many patches of which size are drawn."""
    shapes = [grid.shape for grid in scene.grids_of(prepared.scene)]
    sizes = [f"{rows} x {columns}" for rows, columns in shapes]
    names = [f"{name} " for name in prepared.scene_names] or [""]
    scenes = ", ".join(f"{name}{size}" for name, size in zip(names, sizes, strict=True))
    bands = ", ".join(_inputs(prepared, stream.name, stream.bands) for stream in prepared.spec.streams)
    size, classes = prepared.config.patches.size, len(prepared.scene.classes)
    say(console, "scene", f"{scenes} pixels, {classes} classes; {bands}")
    counts = ", ".join(f"{len(samples)} {part}" for part, samples in prepared.parts.items())
    say(console, "patches", f"{counts}; {size} x {size} pixels")
    say_bands(console, prepared.notes, prepared.warnings)


def _inputs(prepared: Prepared, name: str, count: int) -> str:
    """What the network reads of a modality: its bands, or their components with what these keep of them."""
    if name not in prepared.config.patches.components:
        return f"{name} {count} bands"
    normalization = prepared.normalizations.get(name)
    if normalization is None or normalization.projection is None:
        return f"{name} {count} components"
    share = percent(normalization.projection.explained)
    return f"{name} {count} components of {normalization.bands} bands, {share}% of their variance"


def say_bands(console: Console, notes: Iterable[str], warnings: Iterable[str] = ()) -> None:
    """Say how the bands of a scene that is not the training's were taken, and how its values differ."""
    for note in notes:
        say(console, "bands", note)
    for warning in warnings:
        say(console, "warning", warning)


def say_split(console: Console, prepared: Prepared, split: Split) -> None:
    """How far the other parts' patches are from the training patches, and which classes are short."""
    names = {cover.id: cover.name for cover in prepared.scene.classes}
    patches = prepared.config.patches
    fold = f", {patches.fold} of {patches.folds} for test" if split.kind == "folds" else ""
    say(console, "split", f"{split.kind}{fold}: {leak_text(split)}")
    say_split_of_scenes(console, split, preparation.rows_of_scenes(prepared.scene))
    for text in lack_texts(split, names):
        say(console, "", text)


def say_split_of_scenes(console: Console, split: Split, members: Sequence[SceneRows]) -> None:
    """Say how many patches each of several scenes gives, and which share of those held out is not new."""
    for name, own in preparation.split_by_scene(split, members).items():
        counts = ", ".join(f"{count} {part}" for part, count in own["counts"].items())
        shares = " and ".join(f"{percent(share)}% of {part}" for part, share in own["leak"].items())
        seen = f"; {shares} patches share pixels with a training patch" if shares else ""
        say(console, "", f"{name}: {counts}{seen}")


def lack_texts(split: Split, names: Mapping[int, str]) -> Iterator[str]:
    """Say which classes are short, which are never trained on, and which parts lack one; names are by id."""
    untrained = split.untrained()
    if split.short:
        few = ", ".join(f"{names[class_id]} {count}" for class_id, count in split.short.items())
        yield f"fewer patches than asked for: {few}"
    if untrained:
        yield f"scored, but never trained on: {', '.join(names[class_id] for class_id in untrained)}"
    for part, class_id in split.absent:
        if part != "train" or class_id not in untrained:
            yield f"no {part} patch of {names[class_id]}"


def leak_text(split: Split) -> str:
    """Say of each part that is held back which share of its patches is not new to training."""
    shares = [f"{percent(share)}% of {part}" for part, share in split.leaks().items()]
    if not shares:
        return "all patches are for training"
    return f"{' and '.join(shares)} patches share pixels with a training patch"


def say_network(console: Console, network: Network, threads: int) -> None:
    """Say how many parameters the network has, its type of numbers, its kernels and its threads."""
    values = sum(parameter.value.size for parameter in network.parameters.values())
    spec = network.spec
    streams = " + ".join(spec.modalities)
    say(console, "network", f"{streams}: {values:,} parameters, {spec.dtype}, {spec.kernels} kernels")
    say(console, "threads", str(threads))


def say_scores(console: Console, scores: Scores, untrained: Sequence[str] = ()) -> None:
    """Say the validation patches' accuracies and kappa, and which of their classes were never trained on."""
    kappa = "-" if scores.kappa is None else f"{scores.kappa:.3f}"
    overall, average = scores.overall_accuracy, percent(scores.average_accuracy)
    line = f"overall accuracy {overall} %, average accuracy {average} %, kappa {kappa}"
    say(console, "validation", f"{line} ({scores.samples} patches)")
    say_untrained(console, untrained)


def say_scenes(console: Console, by_scene: Mapping[str, Scores]) -> None:
    """Say each scene's overall accuracy and kappa, where there are several."""
    for name, scores in by_scene.items():
        kappa = "-" if scores.kappa is None else f"{scores.kappa:.3f}"
        figures = f"overall accuracy {scores.overall_accuracy} %, kappa {kappa}"
        say(console, "", f"{name}: {figures} ({scores.samples} patches)")


def say_untrained(console: Console, untrained: Sequence[str]) -> None:
    """Say which classes are scored without a single patch to learn them from, if any."""
    if untrained:
        say(console, "", f"scored, but never trained on: {', '.join(untrained)}")


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
