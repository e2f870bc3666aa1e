"""`mpmm compare`: the paper's experiments on a scene of one's own."""

from __future__ import annotations

from pathlib import Path

import click

from mpmm.display import Console, say
from mpmm.errors import ConfigError
from mpmm.results import refuse_inputs
from mpmm.settings import load_config, run_name

NAMES = ("fusion", "rivals", "splits", "layouts", "inference", "batches")


@click.command("compare", short_help="Run the paper's experiments on a scene.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--quick", is_flag=True, help="Few epochs and one seed: minutes instead of hours.")
@click.option(
    "--only",
    type=click.Choice(NAMES),
    multiple=True,
    help="This experiment, and no others but those named likewise.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The comparison's folder; runs/compare-<name> by default.",
)
@click.option(
    "--cluster",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="SCRIPT",
    help="launch/virtual-cluster: train over ranks on its hosts, a rank a host, and read their interfaces.",
)
def command(config: Path, quick: bool, only: tuple[str, ...], out: Path | None, cluster: Path | None) -> None:
    """Run the paper's experiments on CONFIG's scene, and set the paper's own figures beside what comes out.

    \b
        mpmm compare scene/mpmm.toml --quick            all of them, small
        mpmm compare scene/mpmm.toml --only fusion      one of them, whole
        mpmm compare scene/mpmm.toml --cluster launch/virtual-cluster
        mpmm report runs/compare-scene                  all that is there on one page

    \b
        fusion      Figure 8, Table 2: each modality alone, and both
        rivals      Table 3: KNN, SVM, random forest, per-pixel SVM on the same patches
        splits      random against block split, which the paper does not have
        layouts     Figures 9, 11 to 17: speed, traffic and CPU of each worker by layout
        inference   Tables 4 and 5: 1,000 and 14,000 patches by layout
        batches     Figure 10: traffic by batch

    Each run is kept in the folder and used again, so that the same command goes on after an interruption.
    Tables and figures are written as CSV and PNG, with every number from the runs' own files.
    """
    # scikit-learn and matplotlib take seconds to import, which `mpmm --help` need not wait for
    from mpmm.comparison import EXPERIMENTS, Study, compare

    settings = load_config(config)
    if settings.further:
        raise ConfigError(
            f"{config}: has {len(settings.scenes)} scenes, the paper's experiments are of one",
            "give a configuration with one [scene]",
        )
    console = Console()
    folder = Path("runs") / f"compare-{run_name(config)}" if out is None else out
    refuse_inputs([folder], [config, *settings.read_files()])
    study = Study(folder, settings, quick, lambda label, text: say(console, label, text), cluster)
    names = [name for name in EXPERIMENTS if name in only or not only]
    for own in compare(study, names):
        say(console, "written", str(own))
    say(console, "report", f"mpmm report {folder}")
