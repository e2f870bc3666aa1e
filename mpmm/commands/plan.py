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
    Choice,
    Host,
    Layout,
    LayoutName,
    Machine,
    NetworkShape,
    Prediction,
    Problem,
    Profile,
    UpdatePlace,
    bytes_a_second,
    choose,
    cluster,
    describe,
    layout_for,
    mathematics_text,
    one_host,
    plan,
    plan_text,
    prediction_text,
    quotas_of,
    read_hosts,
    schedule,
    schedule_text,
    seconds_of,
    simulate,
    threads_of_hosts,
    threads_on,
)
from mpmm.preparation import agreed, spec_of_headers
from mpmm.ranks import kept_profile, profile_of, trace_events
from mpmm.results import refuse_inputs, write_whole
from mpmm.runs import overridden
from mpmm.settings import Config, load_config

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
    virtual: bool
    micro_batches: int | None
    measure: bool
    timeline: Path | None

    @property
    def given(self) -> bool:
        """Whether anything is said of hosts and links."""
        return self.virtual or (self.hosts, self.link, self.delay, self.cpu) != (None,) * 4

    def machine(self, ranks: int, cores: int) -> Machine:
        """The machine in question; without a hosts file each rank has a host of its own."""
        if not self.given:
            return one_host(ranks, cores)
        host_of = read_hosts(self.hosts, ranks) if self.hosts else tuple(range(ranks))
        rate = math.inf if self.link is None else bytes_a_second(self.link)
        delay = 0.0 if self.delay is None else seconds_of(self.delay)
        host = Host(cores, rate=rate, machine=0 if self.virtual else Host.machine)
        return cluster(host_of, host, quotas_of(self.cpu) if self.cpu else (), delay)


@click.command("plan", short_help="Show the network, its cost and what each rank will do.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("-n", "--ranks", type=click.IntRange(min=1), help="What each of so many ranks will do.")
@click.option("--layout", type=click.Choice(get_args(LayoutName)), help="Instead of the configuration's.")
@click.option("--update", type=click.Choice(get_args(UpdatePlace)), help="Who moves the parameters.")
@click.option("--micro-batches", type=click.IntRange(1, 8), help="Parts of a batch, one behind the other.")
@click.option("--rank", type=click.IntRange(min=0), help="The schedule of this rank only.")
@click.option(
    "--summary", is_flag=True, help="Only the network: each layer's shape, parameters and cost a patch."
)
@click.option("--hosts", type=click.Path(path_type=Path), help="A host file: the ranks are on its hosts.")
@click.option("--link", help="Rate of each host's network interface, such as 1gbit; each rank has a host.")
@click.option("--delay", help="Of a packet from host to host, such as 0.1ms.")
@click.option("--cpu", help="Share of a core that each host may use, such as 35%, or one for each: 35%,20%.")
@click.option("--virtual", is_flag=True, help="Hosts share one machine's cores, as in a virtual cluster.")
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
        mpmm plan scene/mpmm.toml -n 5 --layout auto --measure          the fastest layout that is found

    MFLOP are millions of operations forward and backward, kB is what a layer holds of a patch for the
    backward, kernel how it computes. Of the scene only headers and the classes are read.
    """
    settings = load_config(config)
    foresight = _Foresight(**options)
    if foresight.timeline is not None:
        inputs = [config, *([foresight.hosts] if foresight.hosts else []), *settings.read_files()]
        refuse_inputs([foresight.timeline], inputs)
    if ranks is None and any(options.values()):
        given = ", ".join(f"--{name.replace('_', '-')}" for name, value in options.items() if value)
        raise click.UsageError(f"{given}: for how many ranks? Add -n, e.g. -n 5")
    spec = spec_of_headers(agreed(settings))
    if ranks is None:
        click.echo(Network(spec, drawn=False).summary())
        return
    settings = overridden(settings, update=update, micro_batches=foresight.micro_batches)
    machine = foresight.machine(ranks, settings.layout.threads or os.cpu_count() or 1)
    if summary:
        click.echo(Network(spec, drawn=False).summary())
        return
    problem = _problem(settings, spec, machine, foresight)
    chosen, choice = _layout(settings, problem, layout, foresight)
    if choice is not None:
        click.echo("\n".join(["layout auto, found by search:", *choice.reasons, ""]))
    _show_plan(problem, chosen)
    _show_prediction(problem, chosen, foresight)
    _show_schedules(problem.shape, chosen, problem.batch, rank)


def _problem(settings: Config, spec: NetworkSpec, machine: Machine, foresight: _Foresight) -> Problem:
    """Network, batch and machine, with the profile that is known; without one it is guessed."""
    batch = settings.training.batch
    if foresight.measure:
        profile = profile_of(spec, batch, threads_of_hosts(machine), _say_compiling, anew=True)
    else:
        profile = kept_profile(spec, batch) or Profile()
    return Problem(describe(spec), batch, profile, machine, settings.layout_options)


def _say_compiling(share: float) -> None:
    click.echo(f"compiling, {share:.0%} done", err=True)


def _layout(
    settings: Config, problem: Problem, name: str | None, foresight: _Foresight
) -> tuple[Layout, Choice | None]:
    """The layout of this name, or else of the settings; and why, if it had to be searched for."""
    own, ranks = settings.layout, problem.ranks
    assigned = name is None and bool(own.ranks or own.shares)
    if ranks == 1 or (name or own.name) != "auto" or assigned:
        named = None if (name or own.name) == "auto" else name or own.name
        blocks, shares = (own.ranks, own.shares) if assigned else (None, None)
        return layout_for(problem.shape, ranks, named, blocks, shares, settings.layout_options), None
    layers = "layers measured" if problem.profile.layers else "layers guessed from operations"
    hosts = f"{_counted(len(problem.machine.hosts), 'host')} as given" if foresight.given else "this machine"
    choice = choose(problem, f"{layers}, {hosts}")
    return choice.layout, choice


def _show_plan(problem: Problem, layout: Layout) -> None:
    hosts, threads = problem.machine.hosts, threads_on(problem.shape, layout, problem.machine)
    parts = layout.options.micro_batches
    cut = f" in {parts} micro-batches" if parts > 1 else ""
    click.echo(f"layout {layout.name}, {layout.ranks} ranks, one step over {problem.batch} patches{cut}")
    if text := mathematics_text(layout):
        click.echo(text)
    click.echo(f"threads as for {_counted(len(hosts), 'machine')} of {_counted(hosts[0].cores, 'core')}\n")
    click.echo(plan_text(plan(problem.shape, layout, problem.batch, threads=threads)))


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}s"


def _show_prediction(problem: Problem, layout: Layout, foresight: _Foresight) -> None:
    steps = {} if len(layout.workers) <= _MANY else {"steps": _FEW_STEPS}
    predicted = simulate(problem.shape, layout, problem.batch, problem.profile, problem.machine, **steps)
    click.echo(f"\n{prediction_text(predicted, layout, problem.batch)}")
    guess = f"guessed from operations, {Profile().flops / 1e9:g} GFLOP/s a thread; --measure times them here"
    click.echo(f"costs of the layers {'as measured on this machine' if problem.profile.layers else guess}")
    if foresight.timeline is not None:
        _write_timeline(predicted, layout, foresight.timeline)


def _write_timeline(predicted: Prediction, layout: Layout, path: Path) -> None:
    names = {rank: layout.role(rank) for rank in range(layout.ranks)}
    write_whole(path, json.dumps(trace_events(predicted.plain_spans(), names)).encode())
    click.echo(f"timeline in {path}, for https://ui.perfetto.dev")


def _show_schedules(shape: NetworkShape, layout: Layout, batch: int, rank: int | None) -> None:
    if rank is None and layout.ranks > _MANY:
        click.echo("\nof so many ranks schedules are shown one at a time: --rank 0")
        return
    for number in range(layout.ranks) if rank is None else [rank]:
        if layout.role(number) == "idle" and rank is None:
            continue
        text = (
            schedule_text(schedule(shape, layout, number, "train", batch))
            or "validates and writes checkpoints"
        )
        click.echo(f"\nrank {number}, {layout.role(number)}:\n{text}")
