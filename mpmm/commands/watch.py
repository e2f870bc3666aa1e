"""`mpmm watch`: a run as it goes on, from its folder alone."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mpmm.commands.numbers import FiniteFloat
from mpmm.display import Console, live, run_frame
from mpmm.records import RunRecord, read_progress

# of a run that has ended nothing new comes
_ENDED = ("finished", "interrupted")


@click.command("watch", short_help="Watch a run as it goes on.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Print how it stands now, and end.")
@click.option(
    "--every",
    type=FiniteFloat(min=0.1, max=86400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks into the folder.",
)
def command(run: Path, once: bool, every: float) -> None:
    """Show how far RUN is, and what each of its ranks computes, waits, sends and receives.

    \b
        mpmm watch runs/first              in another terminal, while it trains
        mpmm watch runs/first --once       one look, also for scripts

    All of it is read from the run folder, so a run on other machines can be watched where its folder is at
    hand, and one that has ended looked at. Ends by itself when the run does, or by Ctrl-C, which leaves the
    run alone.
    """
    console = Console()
    record = read_progress(run)
    if once or not console.is_terminal or record.status in _ENDED:
        console.print(run_frame(record, time.time()))
        return
    with live(console) as show:
        while record.status not in _ENDED:
            show(run_frame(record, time.time()))
            time.sleep(every)
            record = _later(run, record)
        show(run_frame(record, time.time()))


def _later(run: Path, record: RunRecord) -> RunRecord:
    """The run a little later; as it was, where its log is just being rewritten."""
    newer = read_progress(run)
    return newer if newer.steps or not record.steps else record
