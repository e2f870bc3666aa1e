"""A run as one frame of a terminal: how far it is, its curves, and what each rank is doing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mpmm.records import RankRates, RunProgress, RunRecord, progress_of, rates
from mpmm.results import percent

_BAR = 12
# a rank samples every second; one that is silent for so long is no longer there, or computes one long step
SILENT = 10.0
_BLOCKS = "▁▂▃▄▅▆▇█"


def run_frame(record: RunRecord, now: float) -> RenderableType:
    """The run at this moment, to be printed or shown live.

    Parameters
    ----------
    record
        What the run folder says.
    now
        Seconds since the epoch, by which it is told how old the latest sample is.
    """
    progress = progress_of(record)
    parts: list[RenderableType] = [_title(record, now), _progress_line(progress), _figures(record, progress)]
    trend = sparkline([entry["train_loss"] for entry in record.epochs if "train_loss" in entry])
    if trend:
        parts.append(Text.assemble(("loss by epoch  ", "dim"), trend))
    if record.samples:
        parts.append(_rank_table(record))
    parts += [Text(f"{note}.", style="yellow") for note in record.notes]
    return Group(*parts)


def sparkline(values: Sequence[float], most: int = 60) -> str:
    """The values as a row of blocks, the last so many; nothing for fewer than two."""
    shown = list(values)[-most:]
    if len(shown) < 2:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round((value - low) / span * (len(_BLOCKS) - 1))] for value in shown)


def _title(record: RunRecord, now: float) -> Text:
    title = Text.assemble((str(record.path), "bold"), "  ", (record.status, _style(record)))
    if record.status == "going on or killed" and record.samples:
        age = now - max(samples.last for samples in record.samples)
        silent = age > SILENT
        title.append(f", last sign of life {max(age, 0):.0f} s ago", style="red" if silent else "dim")
    elif record.summary is not None and record.summary.get("ended"):
        title.append(f" ({record.summary['ended']})", style="dim")
    return title


def _style(record: RunRecord) -> str:
    return {"finished": "green", "interrupted": "yellow"}.get(record.status, "cyan")


def _progress_line(progress: RunProgress) -> Table:
    line = Table.grid(padding=(0, 2))
    epochs = "" if progress.epochs is None else f"/{progress.epochs}"
    steps = "" if progress.steps is None else f"/{progress.steps}"
    bar: RenderableType = Text("")
    if progress.steps:
        bar = ProgressBar(total=progress.steps, completed=min(progress.step, progress.steps), width=30)
    left = progress.seconds_left
    remaining = "" if not left else f"{timedelta(seconds=round(left))} left"
    line.add_row(f"epoch {progress.epoch}{epochs}", bar, f"step {progress.step}{steps}", remaining)
    return line


def _figures(record: RunRecord, progress: RunProgress) -> Text:
    words = []
    if progress.loss is not None:
        words.append(f"loss {progress.loss:.4f}")
    if progress.accuracy is not None:
        words.append(f"accuracy {percent(progress.accuracy)}%")
    if progress.validation is not None:
        words.append(f"validation {percent(progress.validation)}% (best {percent(progress.best)}%)")
    rates_by_epoch = [entry["rate"] for entry in record.epochs if "rate" in entry]
    if len(set(rates_by_epoch)) > 1:
        words.append(f"rate {rates_by_epoch[-1]:.3g}")
    if progress.step_seconds:
        words.append(f"{progress.step_seconds * 1000:.0f} ms a step")
    return Text("  ".join(words) if words else "no step yet")


def _rank_table(record: RunRecord) -> Table:
    ended = record.status in ("finished", "interrupted")
    title = "ranks, over the whole run" if ended else "ranks, latest second"
    table = Table(title=title, title_justify="left", title_style="dim", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("rank", justify="right", min_width=4)
    roles = dict(enumerate(record.roles))
    if len(roles) > 1:
        table.add_column("owns", overflow="fold")
    for heading in ("computing", "waiting", "sent", "received"):
        table.add_column(heading)
    table.add_column("memory", justify="right", no_wrap=True, min_width=6)
    first = min(samples.first for samples in record.samples)
    latest = [_latest(rates(samples, first, 1 if ended else 10**9)) for samples in record.samples]
    busiest = max([*(max(figures[2], figures[3]) for figures in latest), 1.0])
    cores = max([*(figures[0] for figures in latest), 1.0])
    for samples, (computing, waiting, sent, received) in zip(record.samples, latest, strict=True):
        table.add_row(
            str(samples.rank),
            *([roles.get(samples.rank, "")] if len(roles) > 1 else []),
            _bar(computing / cores, f"{computing:.2f} cores", "green"),
            _bar(waiting, f"{100 * waiting:.0f}%", "yellow"),
            _bar(sent / busiest, _rate(sent), "cyan"),
            _bar(received / busiest, _rate(received), "cyan"),
            f"{samples.columns['resident_bytes'][-1] / 1e6:,.0f} MB",
        )
    return table


def _latest(seen: RankRates) -> tuple[float, float, float, float]:
    """Computing, waiting, sent and received of the last interval; zeros without one."""
    if not len(seen):
        return 0.0, 0.0, 0.0, 0.0
    columns = (seen.computing, seen.waiting, seen.bytes_out, seen.bytes_in)
    computing, waiting, sent, received = (float(column[-1]) for column in columns)
    return computing, waiting, sent, received


def _bar(share: float, text: str, style: str) -> RenderableType:
    """A bar and its figure; in a narrow terminal the bar is shorter, the figure whole."""
    line = Table.grid(padding=(0, 1, 0, 0))
    line.add_column(max_width=_BAR)
    line.add_column(no_wrap=True, min_width=len(text))
    line.add_row(
        ProgressBar(total=1.0, completed=min(share, 1.0), complete_style=style, finished_style=style), text
    )
    return line


def _rate(bytes_a_second: float) -> str:
    value = bytes_a_second
    for unit in ("B/s", "kB/s", "MB/s"):
        if value < 1000:
            return f"{value:.3g} {unit}" if value else "0"
        value /= 1000
    return f"{value:.3g} GB/s"


@contextmanager
def live(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Give what shows one frame in the place of the last; the last one stays."""
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as shown:
        yield lambda frame: shown.update(frame, refresh=True)
