"""`mpmm plan`: what a configuration's network costs, and what each rank of a layout will do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import click

from mpmm.network import Network
from mpmm.placement import (
    Layout,
    LayoutName,
    NetworkShape,
    describe,
    layout_for,
    plan,
    plan_text,
    schedule,
    schedule_text,
)
from mpmm.preparation import spec_of_headers
from mpmm.settings import Config, load_config


@click.command("plan", short_help="Show the network, its cost and what each rank will do.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-n", "--ranks", type=click.IntRange(min=1), help="What each of so many ranks will do.")
@click.option("--layout", type=click.Choice(get_args(LayoutName)), help="Instead of the configuration's.")
@click.option("--rank", type=click.IntRange(min=0), help="The schedule of this rank only.")
@click.option(
    "--summary", is_flag=True, help="Only the network: each layer's shape, parameters and cost a patch."
)
def command(config: Path, ranks: int | None, layout: str | None, rank: int | None, summary: bool) -> None:
    """Show what CONFIG's network consists of, or what each rank does in a training step.

    \b
        mpmm plan scene/mpmm.toml           a row a layer: output, parameters, arithmetic for one patch
        mpmm plan scene/mpmm.toml -n 5      what 5 ranks own, compute, send and receive, and in which order

    MFLOP are millions of operations forward and backward, kB is what a layer holds of a patch for the
    backward, kernel how it computes. Of the scene only headers and the classes are read.
    """
    settings = load_config(config)
    spec = spec_of_headers(settings)
    if ranks is None or summary:
        click.echo(Network(spec).summary())
        return
    shape = describe(spec)
    own = settings.layout
    chosen = (
        layout_for(shape, ranks, layout)
        if layout
        else layout_for(shape, ranks, own.name, own.ranks, own.shares)
    )
    _show(shape, chosen, settings, rank)


def _show(shape: NetworkShape, layout: Layout, settings: Config, rank: int | None) -> None:
    batch, cores = settings.training.batch, settings.layout.threads or os.cpu_count() or 1
    click.echo(f"layout {layout.name}, {layout.ranks} ranks, one step over {batch} patches")
    click.echo(f"threads as for one machine of {cores} cores\n")
    click.echo(plan_text(plan(shape, layout, batch, cores)))
    for number in range(layout.ranks) if rank is None else [rank]:
        text = (
            schedule_text(schedule(shape, layout, number, "train", batch))
            or "validates and writes checkpoints"
        )
        click.echo(f"\nrank {number}, {layout.role(number)}:\n{text}")
