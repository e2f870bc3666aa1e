"""`mpmm evaluate`: score a trained run on patches it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console

from mpmm.commands.run import PARTS, Run
from mpmm.commands.training import use_threads
from mpmm.results.files import read_json, write_json
from mpmm.results.picture import write_confusion_picture
from mpmm.results.report import (
    class_table,
    comparison_table,
    confusion_table,
    write_class_csv,
    write_confusion_csv,
)
from mpmm.results.scores import Scores

# as wide as the confusion of twenty classes, where the output is no terminal
WIDTH = 160


@click.command("evaluate", short_help="Score a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--part", type=click.Choice(PARTS), default="validation", show_default=True, help="Which patches."
)
@click.option(
    "--checkpoint",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="Parameters with the best validation accuracy, or those of the last step.",
)
def command(run: Path, part: str, checkpoint: str) -> None:
    """Score a run's network on the validation or test patches of its own split.

    Prints overall accuracy, average accuracy and Cohen's kappa, precision, recall and F1 of each class with
    95% intervals, and the confusion matrix. Writes them into the run folder too, under evaluation/:
    scores.json, classes.csv, confusion.csv, confusion.png.
    """
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    opened = Run.open(run)
    use_threads(opened.prepared.config)
    scores = opened.evaluate(part, "best" if checkpoint == "best" else "last")
    folder = opened.folder / "evaluation" / f"{part}-{checkpoint}"
    _write(folder, scores, f"{opened.folder.name}, {part} patches, checkpoint {checkpoint}")
    rows = {"mpmm": scores, **_baselines(opened.folder, part)}
    console.print(comparison_table(rows, f"{opened.folder}, {part} patches, checkpoint {checkpoint}"))
    console.print(class_table(scores, opened.classes_))
    _print_confusion(console, scores)
    console.print(f"written   {folder}", soft_wrap=True, highlight=False)


def _print_confusion(console: Console, scores: Scores) -> None:
    """The widest form that fits."""
    # measured without a limit, which would else be the terminal's own width
    unlimited = console.options.update_width(10_000)
    for table in (confusion_table(scores), confusion_table(scores, names=False)):
        if console.measure(table, options=unlimited).maximum <= console.width:
            console.print(table)
            return
    console.print("Confusion: too wide for this terminal, see confusion.csv and confusion.png below")


def _write(folder: Path, scores: Scores, title: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "scores.json", scores.to_dict())
    write_class_csv(folder / "classes.csv", scores)
    write_confusion_csv(folder / "confusion.csv", scores)
    write_confusion_picture(folder / "confusion.png", scores, title)


def _baselines(folder: Path, part: str) -> Mapping[str, Scores]:
    """Scores of the baselines on the same patches, where `mpmm baselines` wrote them."""
    path = folder / "baselines.json"
    if not path.is_file():
        return {}
    return {name: Scores.from_dict(plain) for name, plain in read_json(path).get(part, {}).items()}
