"""`mpmm baselines`: score KNN, SVM and a random forest on the same patches as the network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mpmm.display import (
    Console,
    comparison_table,
    duration,
    say,
    say_scene,
    say_split,
    say_untrained,
    telling,
)
from mpmm.errors import RunError
from mpmm.preparation import Prepared, prepare, restore
from mpmm.results import RunFolder, Scores, refuse_inputs, score, write_json
from mpmm.runs import Run
from mpmm.settings import Config, load_config

if TYPE_CHECKING:
    from mpmm.baselines import Read

FILE = "baselines.json"


@click.command("baselines", short_help="Score KNN, SVM and a random forest on the same patches.")
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Use this run's own patches, and write the scores into its folder.",
)
def command(config: Path | None, run: Path | None) -> None:
    """Score the classical baselines: KNN (k=5, Euclidean), RBF-SVM (one machine a class), random forest.

    \b
        mpmm baselines scene/mpmm.toml             on the split that CONFIG draws; prints only
        mpmm baselines --run runs/scene-...        on a run's split; mpmm evaluate then shows both
        mpmm baselines moved.toml --run runs/...   the same; CONFIG says where the rasters lie now

    They get the same training patches as the network, normalised alike, all modalities as one long vector,
    and are scored on the same validation and test patches. No choice is made on those.
    """
    console = Console()
    # a table as wide as its content where the output is no terminal
    console = console if console.is_terminal else Console(width=120)
    prepared = _of_run(console, run, config) if run is not None else _of_config(console, config)
    say_scene(console, prepared)
    scores = compare(prepared, console)
    for part, rows in scores.items():
        console.print(comparison_table(rows, f"{part} patches"))
        say_untrained(console, prepared.untrained(part))
    if run is not None:
        write_json(run / FILE, plain(scores))
        say(console, "written", str(run / FILE))


def _of_config(console: Console, config: Path | None) -> Prepared:
    """The patches of the split that a configuration draws."""
    if config is None:
        raise click.UsageError("give a CONFIG, or a run: mpmm baselines --run RUN")
    settings = load_config(config)
    with telling(console) as report:
        prepared, split = prepare(settings, report)
    say_split(console, prepared, split)
    return prepared


def _of_run(console: Console, run: Path, config: Path | None) -> Prepared:
    """The patches of a run's split, from where a configuration says that the rasters lie now."""
    settings = None if config is None else load_config(config)
    _check_run(run, config, settings)
    with telling(console) as report:
        return restore(RunFolder.open(run), report, () if settings is None else settings.scenes)


def compare(prepared: Prepared, console: Console) -> dict[str, dict[str, Scores]]:
    """Fit every baseline on the training patches and score the others: part -> name -> scores."""
    # scikit-learn takes a second to import, which `mpmm --help` and wrong arguments need not wait for
    from mpmm.baselines import baselines, fitted, predicted, vectors

    features = vectors(_reading(prepared, "train"), len(prepared.parts["train"]))
    say(console, "features", f"{features.shape[1]:,} a patch, {features.nbytes / 2**20:,.0f} MiB")
    parts = [part for part in ("validation", "test") if len(prepared.parts[part])]
    scores: dict[str, dict[str, Scores]] = {part: {} for part in parts}
    for name, model in baselines().items():
        began = time.perf_counter()
        with console.status(name):
            fitted(model, features, prepared.parts["train"].labels)
            for part in parts:
                samples = prepared.parts[part]
                guess = predicted(model, _reading(prepared, part), len(samples))
                scores[part][name] = score(samples.labels, guess, prepared.class_names)
        say(console, name, f"fitted and scored in {duration(time.perf_counter() - began)}")
    return scores


def plain(scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, dict[str, Any]]:
    """Return what `baselines.json` holds: part -> name -> scores as `Scores.to_dict` gives them."""
    return {part: {name: each.to_dict() for name, each in rows.items()} for part, rows in scores.items()}


def _reading(prepared: Prepared, part: str) -> Read:
    read = prepared.reader(part)
    return lambda indices: read(indices, 0).inputs


def _check_run(run: Path, config: Path | None, settings: Config | None) -> None:
    """Refuse a CONFIG that does not draw the run's patches, and scores written over what is read."""
    own = Run.open(run).config_
    if settings is not None and settings.patches != own.patches:
        raise RunError(
            f"{run}: was trained with other [patches] than {config} has",
            "leave CONFIG out: the run has its own",
        )
    inputs = [*([config] if config else []), *(settings or own).read_files()]
    refuse_inputs([run / FILE], inputs, of_run=True)
