"""`mpmm evaluate`: score a trained run on patches it was not trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

# as a whole: only the rank that writes results draws, for which Matplotlib is loaded
from mpmm import pictures
from mpmm.commands.areas import show_areas
from mpmm.display import Console, class_table, comparison_table, confusion_table, say, say_untrained
from mpmm.patches import PARTS
from mpmm.results import (
    CheckpointName,
    Scores,
    make_folder,
    percent,
    read_json,
    refuse_inputs,
    write_class_csv,
    write_confusion_csv,
    write_json,
    write_whole,
)
from mpmm.runs import (
    EVERYTHING,
    EvaluationOptions,
    EvaluationResult,
    Form,
    Run,
    evaluate,
    load_run_together,
    load_together,
    run_console,
)
from mpmm.scene import Scene

# as wide as the confusion of twenty classes, where the output is no terminal
WIDTH = 160
# what is written of an evaluation
FILES = ("scores.json", "classes.csv", "confusion.csv", "confusion.png", "trace.json")


@click.command("evaluate", short_help="Score a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option(
    "--part",
    type=click.Choice((*PARTS, EVERYTHING)),
    default="validation",
    show_default=True,
    help="Which patches of the split; or all labelled pixels, of another scene or other labels.",
)
@click.option(
    "--checkpoint",
    type=click.Choice(get_args(CheckpointName)),
    default="best",
    show_default=True,
    help="Parameters with the best validation accuracy, or those of the last step.",
)
@click.option("--patches", type=click.IntRange(min=1), help="Draw so many patches instead, none trained on.")
@click.option(
    "--form",
    type=click.Choice(get_args(Form)),
    default="model",
    show_default=True,
    help="Under mpirun: each rank its blocks of every patch, or all blocks for its share of the patches.",
)
@click.option("--force-bands", is_flag=True, help="Take CONFIG's bands as they come, whatever files say.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to compute with; all cores by default.")
@click.option("--trace", is_flag=True, help="Keep a timeline of all ranks, trace.json.")
@click.option(
    "--area",
    type=click.Path(path_type=Path),
    metavar="MAP",
    help="Estimate area and accuracy by class of this map instead ...",
)
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="... from a probability sample: a CSV file of row, column (or x, y) and class, or a raster.",
)
def command(run: Path, config: Path | None, area: Path | None, sample: Path | None, **given: Any) -> None:
    """Score a run's network on the validation or test patches of its own split.

    \b
        mpmm evaluate runs/first --part test
        mpmm evaluate runs/first moved.toml        CONFIG says where the rasters lie now
        mpmm evaluate runs/first other.toml --part all             another scene, or other labels
        mpirun -np 5 mpmm evaluate runs/first --patches 14000 --form data
        mpmm evaluate runs/first --area map.tif --sample points.csv

    Prints overall accuracy, average accuracy and Cohen's kappa, precision, recall and F1 of each class with
    95% intervals, the confusion matrix and the patches a second. Writes the scores into the run folder too,
    under evaluation/: scores.json, classes.csv, confusion.csv, confusion.png.

    With --area: the area of each class as the sample corrects the map's, user's, producer's and overall
    accuracy, all with 95% intervals by the stratified estimators of Olofsson et al. (2014).
    """
    if area is not None or sample is not None:
        show_areas(run, area, sample)
        return
    options = EvaluationOptions(**given)
    console = run_console()
    console = console if console.is_terminal else Console(width=WIDTH, force_terminal=False)
    scenes = () if config is None else load_together(config).scenes
    _check_outputs(run, options, config, scenes)
    result = evaluate(run, options, console, scenes)
    if result is not None:
        _show(console, run, _title(options, config), options, result)


def _folder(run: Path, patches: str, options: EvaluationOptions) -> Path:
    """Where the scores go in the run folder."""
    return run / "evaluation" / f"{patches}-{options.checkpoint}"


def _title(options: EvaluationOptions, config: Path | None) -> str:
    """Which patches are scored, in a word; those of another scene by its configuration's name."""
    if options.patches is not None:
        return f"{options.patches}-drawn"
    if options.part == EVERYTHING and config is not None:
        return f"{config.stem}-{EVERYTHING}"
    return options.part


def _check_outputs(
    run: Path, options: EvaluationOptions, config: Path | None, scenes: tuple[Scene, ...]
) -> None:
    """Refuse scores that would be written over what is read; a missing run is told of by who opens it."""
    own = load_run_together(run)
    if own is not None:
        folder = _folder(run, _title(options, config), options)
        own = own.with_scenes(scenes) if scenes else own
        inputs = [*([config] if config else []), *own.read_files()]
        refuse_inputs([folder, *(folder / name for name in FILES)], inputs, of_run=True)


def _show(
    console: Console, path: Path, patches: str, options: EvaluationOptions, result: EvaluationResult
) -> None:
    """Write the scores into the run folder, and print them."""
    opened, scores = Run.open(path), result.scores
    folder = _folder(opened.folder, patches, options)
    rows = {"mpmm": scores, **({} if options.patches else _baselines(opened.folder, options.part))}
    title = f"{opened.folder}, {patches} patches, checkpoint {options.checkpoint}"
    console.print(comparison_table(rows, title))
    if result.by_scene:
        console.print(comparison_table(result.by_scene, "Each scene for itself", "scene"))
    console.print(class_table(scores, opened.classes_))
    say_untrained(console, result.untrained)
    _print_confusion(console, scores)
    for name, own in result.by_scene.items():
        console.print(f'Scene "{name}"', highlight=False, markup=False)
        _print_confusion(console, own)
    say(console, "overlap", _overlap(result))
    ranks = "one process" if result.ranks == 1 else f"{result.ranks} ranks, layout {result.layout}"
    rate = f"{scores.samples / result.seconds:,.0f} patches/s"
    say(console, "took", f"{result.seconds:.2f} s for {scores.samples:,} patches ({rate}), {ranks}")
    # what is shown is not lost where the folder cannot be written
    _write(folder, result, f"{opened.folder.name}, {patches} patches, checkpoint {options.checkpoint}")
    console.print(f"written   {folder}", soft_wrap=True, highlight=False)


def _overlap(result: EvaluationResult) -> str:
    """What the scored patches have seen of the training's ground."""
    if result.overlap is None:
        return "not counted: the scene is on another grid than the training's"
    return f"{percent(result.overlap)}% of the patches share pixels with a training patch"


def _print_confusion(console: Console, scores: Scores) -> None:
    """The widest form that fits."""
    # measured without a limit, which would else be the terminal's own width
    unlimited = console.options.update_width(10_000)
    for table in (confusion_table(scores), confusion_table(scores, names=False)):
        if console.measure(table, options=unlimited).maximum <= console.width:
            console.print(table)
            return
    console.print("Confusion: too wide for this terminal, see confusion.csv and confusion.png below")


def _write(folder: Path, result: EvaluationResult, title: str) -> None:
    scores = result.scores
    make_folder(folder)
    plain = {**scores.to_dict(), "overlap_with_training": result.overlap}
    if result.by_scene:
        plain["scenes"] = {name: own.to_dict() for name, own in result.by_scene.items()}
    write_json(folder / "scores.json", plain)
    write_class_csv(folder / "classes.csv", scores)
    write_confusion_csv(folder / "confusion.csv", scores)
    pictures.write_confusion_picture(folder / "confusion.png", scores, title)
    if result.trace is not None:
        write_whole(folder / "trace.json", json.dumps(result.trace).encode())


def _baselines(folder: Path, part: str) -> Mapping[str, Scores]:
    """Scores of the baselines on the same patches, where `mpmm baselines` wrote them."""
    path = folder / "baselines.json"
    if not path.is_file():
        return {}
    return {name: Scores.from_dict(plain) for name, plain in read_json(path).get(part, {}).items()}
