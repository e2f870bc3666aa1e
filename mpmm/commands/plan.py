"""`mpmm plan`: what a configuration's network consists of and costs, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import click

from mpmm.commands.config import load_config
from mpmm.commands.prepare import network_spec
from mpmm.network import Network


@click.command("plan", short_help="Show the network, its cost and what each rank will do.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--summary", is_flag=True, help="Only the network: each layer's shape, parameters and cost a patch."
)
def command(config: Path, summary: bool) -> None:
    """Show CONFIG's network: a row a layer, with its output, parameters and arithmetic for one patch.

    MFLOP are millions of operations forward and backward, kB kept is what a layer holds of a patch for the
    backward, kernel how it computes. Of the scene only headers and the classes are read.

    \b
        mpmm plan scene/mpmm.toml --summary
    """
    settings = load_config(config)
    report = settings.scene.inspect()
    bands = {modality.name: len(modality.band_names) for modality in report.modalities}
    click.echo(Network(network_spec(settings, bands, len(report.labels.classes))).summary())
