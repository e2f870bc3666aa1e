"""`mpmm train`: train a network, or go on with a run."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, get_args

import click

from mpmm.placement import LayoutName, UpdatePlace
from mpmm.runs import NewRun, TrainOptions, TrainResult, go_on, load_together, overridden, run_console, train
from mpmm.settings import read_config_text, run_name

POSITIVE = click.IntRange(min=1)


@click.command("train", short_help="Train a network.")
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with this run folder.")
@click.option("--run", type=click.Path(path_type=Path), metavar="DIR", help="Name of the new run folder.")
@click.option(
    "--layout", type=click.Choice(get_args(LayoutName)), help="Which rank owns what; 'single' is one process."
)
@click.option("--update", type=click.Choice(get_args(UpdatePlace)), help="Who moves the parameters.")
@click.option("--micro-batches", type=click.IntRange(1, 8), help="Parts of a batch, one behind the other.")
@click.option("--epochs", type=POSITIVE, help="Passes over the training patches.")
@click.option("--steps", type=POSITIVE, help="End after so many steps, even within an epoch.")
@click.option("--threads", type=POSITIVE, help="Threads to compute with; all cores by default.")
@click.option("--seed", type=click.IntRange(min=0), help="Of parameters, batches, augmentation and dropout.")
@click.option("--fold", type=POSITIVE, help="Of spatial folds: the one for test, counted from 1.")
@click.option("--trace", is_flag=True, help="Keep a timeline of all ranks, trace.json.")
def command(config: Path | None, resume: Path | None, run: Path | None, trace: bool, **given: Any) -> int:
    """Train the network that CONFIG describes, or go on with a run.

    \b
        mpmm train scene/mpmm.toml            a new run in runs/<name>-<date>-<n>
        mpmm train --resume runs/scene-...    go on where it was interrupted
        mpirun -np 5 mpmm train ...           the same on several ranks

    Options take precedence over the configuration. Ctrl-C finishes the step and writes a checkpoint; a run
    that goes on ends with the same parameters, bit for bit, as one that was never interrupted; CONFIG beside
    --resume says where its rasters lie now. A folder that holds files is never overwritten. The last line is
    a fingerprint (SHA-256) of all parameters.
    """
    options = TrainOptions(trace, run_console(), process_start())
    loaded = None if config is None else load_together(config)
    if resume is not None:
        _refuse_with_resume(run=run, seed=given.pop("seed"), fold=given.pop("fold"))
        return _code(go_on(resume, options, scenes=() if loaded is None else loaded.scenes, **given))
    if loaded is None or config is None:
        raise click.UsageError("give a CONFIG, or a run to go on with: mpmm train --resume RUN")
    new = NewRun(run_name(config), run, read_config_text(config), given["steps"])
    return _code(train(overridden(loaded, **given), new, options))


def _refuse_with_resume(**given: object) -> None:
    """A run has its folder and seed already."""
    for name, value in given.items():
        if value is not None:
            raise click.UsageError(f"--resume takes the run as it was started: leave --{name} out")


def process_start() -> float:
    """When this process began, in seconds since the epoch, to a tick of the system's clock.

    The system counts it from its own start, for which psutil takes the whole second before.
    """
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    began = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - began)


def _code(result: TrainResult) -> int:
    return 0 if result.interrupted is None else 130
