"""`mpmm crossvalidate`: train and score once a fold of the scene, beside the baselines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from mpmm.commands.baselines import FILE as BASELINES
from mpmm.commands.baselines import compare, plain
from mpmm.display import Console, folds_table, say, spread_table
from mpmm.errors import ConfigError, RunError
from mpmm.messages import launched_ranks
from mpmm.results import Scores, crossvalidation, read_json, refuse_inputs, together, write_json
from mpmm.runs import NewRun, Run, TrainOptions, go_on, overridden, run_console, train
from mpmm.settings import Config, load_config, read_config_text, run_name

FILE = "crossvalidation.json"
# the network's name among the methods
OURS = "mpmm"


@click.command("crossvalidate", short_help="Train and score once a fold, beside the baselines.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Folder of all folds' runs.")
@click.option("--epochs", type=click.IntRange(min=1), help="Passes over the training patches.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads to compute with; all cores by default.")
def command(config: Path, run: Path | None, **given: Any) -> int:
    """Train the network of CONFIG once for each fold of its spatial folds, and score each on its test part.

    \b
        mpmm crossvalidate scene/mpmm.toml --run runs/folds

    CONFIG has split = "folds" in [patches]. The runs are DIR/fold-1 and so on; by default DIR is
    runs/<name>-folds. What is there already is taken as it is, or gone on with: the same command goes on
    after Ctrl-C. KNN, SVM and a random forest are scored on the same patches.

    Prints the test accuracy of each fold, mean and standard deviation, and how far the network is ahead of
    each baseline, fold by fold, with a 95% interval. Writes all of it to DIR/crossvalidation.json.
    """
    _refuse_ranks(config)
    settings, console = overridden(load_config(config), **given), run_console()
    if settings.patches.split != "folds":
        raise ConfigError(
            f'{config}: the split is "{settings.patches.split}"; cross-validation needs folds of the scene',
            'write split = "folds" into [patches]',
        )
    folder = run or Path("runs") / f"{run_name(config)}-folds"
    refuse_inputs([folder / FILE], [config, *settings.read_files()])
    folds: list[_Fold] = []
    for number in range(1, settings.patches.folds + 1):
        say(console, "fold", f"{number} of {settings.patches.folds}")
        fold = replace(settings, patches=replace(settings.patches, fold=number))
        trained = _trained(fold, folder / f"fold-{number}", config, console)
        if trained is None:
            say(console, "go on", "the same command goes on with this fold")
            return 130
        folds.append(_scored(trained, console))
    _show(console if console.is_terminal else Console(width=120), folder, folds)
    return 0


def _refuse_ranks(config: Path) -> None:
    """Refuse to train the folds once a rank, all into the same folders."""
    if launched_ranks() > 1:
        raise RunError(
            "mpmm crossvalidate trains its folds in one process",
            f"under mpirun train each, mpmm train {config} --fold K --run DIR/fold-K, then score all of DIR",
        )


@dataclass(frozen=True)
class _Fold:
    """Scores of each method on a fold's test part, test patches in one training patch, classes not learnt."""

    scores: Mapping[str, Scores]
    held_out: float
    untrained: tuple[str, ...] = ()


def _trained(config: Config, path: Path, source: Path, console: Console) -> Run | None:
    """The fold's run, trained to its end; None where that was interrupted."""
    options = TrainOptions(console=console)
    if not (path / "config.json").is_file():
        result = train(config, NewRun(path.name, path, read_config_text(source)), options)
        return None if result.interrupted else result.run
    run = Run.open(path)
    if not _is_of(config, run):
        raise RunError(f"{path}: was made with other settings", "name another folder by --run")
    if (path / "run.json").is_file() and run.summary_["finished"]:
        return run
    result = go_on(path, options)
    return None if result.interrupted else result.run


def _is_of(config: Config, run: Run) -> bool:
    """Whether a run was started with these settings, but for the layout, which changes no result."""
    tables = ("patches", "network", "training")
    stored, settings = (json.loads(each.as_json()) for each in (run.config_, config))
    return all(stored[table] == settings[table] for table in tables)


def _scored(run: Run, console: Console) -> _Fold:
    """The fold's test part scored by the network's best parameters, and by the baselines."""
    if not (run.folder / BASELINES).is_file():
        write_json(run.folder / BASELINES, plain(compare(run.prepared, console)))
    others = read_json(run.folder / BASELINES)["test"]
    scores = {OURS: run.evaluate("test")} | {name: Scores.from_dict(each) for name, each in others.items()}
    parts = run.prepared.parts
    return _Fold(scores, len(parts["test"]) / len(parts["train"]), run.prepared.untrained("test"))


def _show(console: Console, folder: Path, folds: list[_Fold]) -> None:
    """Print and write what all folds say."""
    scores = {method: [fold.scores[method] for fold in folds] for method in folds[0].scores}
    held_out = sum(fold.held_out for fold in folds) / len(folds)
    summary = crossvalidation(scores, held_out, OURS)
    write_json(folder / FILE, summary)
    console.print(folds_table(scores, "Overall accuracy %, test patches"))
    for number, fold in enumerate(folds, start=1):
        if fold.untrained:
            names = ", ".join(fold.untrained)
            say(console, f"fold {number}", f"scored, but never trained on: {names}")
    console.print(spread_table(summary))
    overall = together(scores[OURS]).overall_accuracy
    say(console, "together", f"overall accuracy {overall} % over the test patches of all folds")
    say(console, "written", str(folder / FILE))
