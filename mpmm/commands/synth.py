"""`mpmm synth`: write a synthetic scene and a configuration that is ready to run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args

import click

from mpmm.display import Console, ticking
from mpmm.synthetic import SizeName, write_synthetic


@click.command("synth", short_help="Write a synthetic scene with the layout of DFC2018.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--size",
    type=click.Choice(get_args(SizeName)),
    default="small",
    show_default=True,
    help="Label pixels: tiny 140 x 240 (16 MB), small 300 x 1000 (140 MB), houston 1202 x 4768 (2.8 GB).",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another seed, another town."
)
@click.option("--force", is_flag=True, help="Replace a synthetic scene that is already in DIR.")
def command(folder: Path, size: SizeName, seed: int, force: bool) -> None:
    """Write a synthetic scene into DIR, with a configuration DIR/mpmm.toml that is ready to run.

    The scene has the files, formats, names and geometry of DFC2018 (Houston 2018), but none of its data: an
    invented town, seen by an invented hyperspectral imager and an invented camera. Same size and seed, same
    pixels, on any machine.
    """
    console = Console()
    began = time.monotonic()
    with ticking(console) as report:
        config = write_synthetic(folder, size, seed, report, force=force)
    seconds = time.monotonic() - began
    _say(console, f"wrote a synthetic scene ({size}, seed {seed}) to {folder} in {seconds:.0f} s")
    _say(console, f"next: mpmm check {config}")


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
