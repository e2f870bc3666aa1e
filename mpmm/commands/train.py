"""`mpmm train`: train a network, or go on with a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

import click
import psutil

from mpmm.display import Console
from mpmm.messages import launched_ranks
from mpmm.runs import LayoutName, TrainOptions, TrainResult, distributed, go_on, overridden, train
from mpmm.settings import load_config, run_name

POSITIVE = click.IntRange(min=1)


@click.command("train", short_help="Train a network.")
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with this run folder.")
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Name of the new run folder.")
@click.option(
    "--layout", type=click.Choice(get_args(LayoutName)), help="Which rank owns what; 'single' is one process."
)
@click.option("--epochs", type=POSITIVE, help="Passes over the training patches.")
@click.option("--steps", type=POSITIVE, help="End after so many steps, even within an epoch.")
@click.option("--threads", type=POSITIVE, help="Threads to compute with; all cores by default.")
@click.option("--seed", type=click.IntRange(min=0), help="Of parameters, batches, augmentation and dropout.")
@click.option("--trace", is_flag=True, help="Under mpirun: keep a timeline of all ranks, trace.json.")
def command(
    config: Path | None,
    resume: Path | None,
    run: Path | None,
    layout: LayoutName | None,
    epochs: int | None,
    steps: int | None,
    threads: int | None,
    seed: int | None,
    trace: bool,
) -> int:
    """Train the network that CONFIG describes, or go on with a run.

    \b
        mpmm train scene/mpmm.toml            a new run in runs/<name>-<date>-<n>
        mpmm train --resume runs/scene-...    go on where it was interrupted

    Options take precedence over the configuration. Ctrl-C finishes the step and writes a checkpoint; a run
    that goes on ends with the same parameters, bit for bit, as one that was never interrupted. A folder that
    holds files is never overwritten. The last line is a fingerprint (SHA-256) of all parameters.
    """
    began = psutil.Process().create_time()
    # mpirun gives its ranks a terminal even where its own output is a file
    console = Console(force_terminal=False) if launched_ranks() > 1 else Console()
    if resume is not None and launched_ranks() > 1:
        _refuse_with_resume(run=run, seed=seed)
        scene = None if config is None else load_config(config, partly=True).scene
        change = partial(overridden, layout=layout, epochs=epochs, threads=threads)
        options = TrainOptions(resume.name, resume, None, steps, console, began, epochs is not None, trace)
        return distributed.go_on(resume, change, scene, options)
    if resume is not None:
        _refuse_with_resume(CONFIG=config, run=run, seed=seed)
        return _code(
            go_on(
                resume,
                steps=steps,
                epochs=epochs,
                layout=layout,
                threads=threads,
                console=console,
                began=began,
            )
        )
    if config is None:
        raise click.UsageError("give a CONFIG, or a run to go on with: mpmm train --resume RUN")
    loaded = load_config(config, partly=launched_ranks() > 1)
    settings = overridden(loaded, layout=layout, epochs=epochs, threads=threads, seed=seed)
    source = config.read_text(encoding="utf-8")
    if launched_ranks() > 1:
        options = TrainOptions(run_name(config), run, source, steps, console, began, trace=trace)
        return distributed.train(settings, options)
    ending = train(
        settings, name=run_name(config), path=run, source=source, steps=steps, console=console, began=began
    )
    return _code(ending)


def _refuse_with_resume(**given: object) -> None:
    """A run has its configuration, folder and seed already."""
    for name, value in given.items():
        if value is not None:
            what = name if name.isupper() else f"--{name}"
            raise click.UsageError(f"--resume takes the run as it was started: leave {what} out")


def _code(ending: TrainResult) -> int:
    return 0 if ending.interrupted is None else 130
