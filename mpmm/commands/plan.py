"""`mpmm plan`: what a configuration's network costs, what each rank of a layout will do, and how fast."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from mpmm.network import Network, NetworkSpec
from mpmm.placement import (
    Host,
    Layout,
    LayoutName,
    Machine,
    NetworkShape,
    Profile,
    UpdatePlace,
    bytes_a_second,
    cluster,
    describe,
    layout_for,
    one_host,
    plan,
    plan_text,
    prediction_text,
    quotas_of,
    read_hosts,
    schedule,
    schedule_text,
    seconds_of,
    share_of,
    simulate,
    threads_on,
)
from mpmm.preparation import spec_of_headers
from mpmm.ranks import keep_profile, kept_profile, measured, trace_events, warm_up
from mpmm.runs import overridden
from mpmm.settings import load_config

# of more ranks the schedules are shown only on demand, and fewer steps are simulated
_MANY = 16
_FEW_STEPS = 3


@dataclass(frozen=True)
class _Foresight:
    """What the command line says of the machine to predict for; hosts and links all none: one machine."""

    hosts: Path | None
    link: str | None
    delay: str | None
    cpu: str | None
    measure: bool
    timeline: Path | None

    def machine(self, ranks: int, cores: int) -> Machine:
        """The machine in question; without a hosts file each rank has a host of its own."""
        if (self.hosts, self.link, self.delay, self.cpu) == (None,) * 4:
            return one_host(ranks, cores)
        host_of = read_hosts(self.hosts, ranks) if self.hosts else tuple(range(ranks))
        rate = math.inf if self.link is None else bytes_a_second(self.link)
        delay = 0.0 if self.delay is None else seconds_of(self.delay)
        return cluster(host_of, Host(cores, rate=rate), quotas_of(self.cpu) if self.cpu else (), delay)


@click.command("plan", short_help="Show the network, its cost and what each rank will do.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-n", "--ranks", type=click.IntRange(min=1), help="What each of so many ranks will do.")
@click.option("--layout", type=click.Choice(get_args(LayoutName)), help="Instead of the configuration's.")
@click.option("--update", type=click.Choice(get_args(UpdatePlace)), help="Who moves the parameters.")
@click.option("--rank", type=click.IntRange(min=0), help="The schedule of this rank only.")
@click.option(
    "--summary", is_flag=True, help="Only the network: each layer's shape, parameters and cost a patch."
)
@click.option("--hosts", type=click.Path(path_type=Path), help="A host file: the ranks are on its hosts.")
@click.option("--link", help="Rate of each host's network interface, such as 1gbit; each rank has a host.")
@click.option("--delay", help="Of a packet from host to host, such as 0.1ms.")
@click.option("--cpu", help="Share of a core that each host may use, such as 35%, or one for each: 35%,20%.")
@click.option("--measure", is_flag=True, help="Time the network's layers on this machine, and keep that.")
@click.option("--timeline", type=click.Path(path_type=Path), help="Write the predicted steps for Perfetto.")
def command(
    config: Path,
    ranks: int | None,
    layout: str | None,
    update: UpdatePlace | None,
    rank: int | None,
    summary: bool,
    **options: Any,
) -> None:
    """Show what CONFIG's network consists of, or what each rank does in a training step, and how long.

    \b
        mpmm plan scene/mpmm.toml           a row a layer: output, parameters, arithmetic for one patch
        mpmm plan scene/mpmm.toml -n 5      what 5 ranks own, compute, send and receive, and in which order
        mpmm plan scene/mpmm.toml -n 5 --link 1gbit --delay 0.1ms       the same on five hosts

    MFLOP are millions of operations forward and backward, kB is what a layer holds of a patch for the
    backward, kernel how it computes. Of the scene only headers and the classes are read.
    """
    settings = load_config(config)
    foresight = _Foresight(**options)
    if ranks is None and any(options.values()):
        given = ", ".join(f"--{name}" for name, value in options.items() if value)
        raise click.UsageError(f"{given}: for how many ranks? Add -n, e.g. -n 5")
    spec = spec_of_headers(settings)
    if ranks is None or summary:
        click.echo(Network(spec).summary())
        return
    shape = describe(spec)
    own = overridden(settings, update=update).layout
    chosen = (
        layout_for(shape, ranks, layout, options=own.options)
        if layout
        else layout_for(shape, ranks, own.name, own.ranks, own.shares, own.options)
    )
    machine = foresight.machine(ranks, own.threads or os.cpu_count() or 1)
    _show_plan(shape, chosen, machine, settings.training.batch)
    _show_prediction(spec, chosen, machine, settings.training.batch, foresight)
    _show_schedules(shape, chosen, settings.training.batch, rank)


def _show_plan(shape: NetworkShape, layout: Layout, machine: Machine, batch: int) -> None:
    hosts = machine.hosts
    click.echo(f"layout {layout.name}, {layout.ranks} ranks, one step over {batch} patches")
    click.echo(f"threads as for {_counted(len(hosts), 'machine')} of {_counted(hosts[0].cores, 'core')}\n")
    click.echo(plan_text(plan(shape, layout, batch, threads=threads_on(shape, layout, machine))))


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _show_prediction(
    spec: NetworkSpec, layout: Layout, machine: Machine, batch: int, foresight: _Foresight
) -> None:
    shape = describe(spec)
    profile = _measured(spec, layout, machine, batch) if foresight.measure else kept_profile(spec)
    steps = {} if layout.ranks <= _MANY else {"steps": _FEW_STEPS}
    predicted = simulate(shape, layout, batch, profile or Profile(), machine, **steps)
    click.echo(f"\n{prediction_text(predicted, layout, batch)}")
    guessed = (
        f"guessed from operations, {Profile().flops / 1e9:g} GFLOP/s a thread; --measure times them here"
    )
    click.echo(f"costs of the layers {guessed if profile is None else 'as measured on this machine'}")
    if foresight.timeline is not None:
        names = {rank: layout.role(rank) for rank in range(layout.ranks)}
        text = json.dumps(trace_events(predicted.plain_spans(), names))
        foresight.timeline.write_text(text, encoding="utf-8")
        click.echo(f"timeline in {foresight.timeline}, for https://ui.perfetto.dev")


def _measured(spec: NetworkSpec, layout: Layout, machine: Machine, batch: int) -> Profile:
    """Time the layers with each number of samples and threads that some rank computes with."""
    shape, network = describe(spec), Network(spec)
    shares = {share_of(layout, block, rank, batch).count for block, ranks in layout.owners for rank in ranks}
    warm_up(network, lambda share: click.echo(f"compiling, {share:.0%} done", err=True))
    profile = measured(network, shares, threads_on(shape, layout, machine))
    click.echo(f"\nmeasured, and kept in {keep_profile(spec, profile)}")
    return profile


def _show_schedules(shape: NetworkShape, layout: Layout, batch: int, rank: int | None) -> None:
    if rank is None and layout.ranks > _MANY:
        click.echo("\nof so many ranks schedules are shown one at a time: --rank 0")
        return
    for number in range(layout.ranks) if rank is None else [rank]:
        text = (
            schedule_text(schedule(shape, layout, number, "train", batch))
            or "validates and writes checkpoints"
        )
        click.echo(f"\nrank {number}, {layout.role(number)}:\n{text}")
