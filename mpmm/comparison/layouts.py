"""Figures 9 to 17: accuracy by time, traffic and CPU of each worker, by layout and by batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mpmm.comparison import paper
from mpmm.comparison.figures import (
    epoch_curve,
    host_counts,
    rank_rates,
    rate_curve,
    spread,
    time_curve,
)
from mpmm.comparison.study import Study
from mpmm.comparison.virtual_hosts import interfaces_of
from mpmm.errors import ConfigError
from mpmm.placement import LayoutName
from mpmm.records import Outcome, OutcomeFigure, OutcomeTable, RankRates, RunRecord, owned_network
from mpmm.settings import Config

LAYOUTS: tuple[LayoutName, ...] = ("single", "baseline", "optimized", "data", "hybrid", "auto")
_MB = 1e6


def layouts(study: Study) -> Outcome:
    """Train for the same epochs in one process and on every layout, and read what each rank did.

    Raises
    ------
    ConfigError
        The scene has one modality only.
    """
    ranks_of(study.config)
    records: dict[str, RunRecord] = {name: layout_run(study, name) for name in LAYOUTS}
    workers = {name: _workers(record) for name, record in records.items() if record.ranks > 1}
    rows = tuple(row for name, record in records.items() for row in _rows(name, record))
    columns = (
        "layout",
        "rank",
        "CPU, cores: mean",
        "median",
        "deviation",
        "waited %",
        "MB in, a second",
        "MB out, a second",
        "MB in, a step",
        "MB out, a step",
        "interface: MB in, a step",
        "interface: MB out, a step",
        "CPU of the host, s",
    )
    shortest = min(float(record.epochs[-1]["seconds"]) for record in records.values())
    speed = tuple(_speed(name, record, shortest) for name, record in records.items())
    return Outcome(
        "layouts",
        "Figures 9 and 11 to 17: one process and layouts over five ranks",
        tuple(_words(records)),
        (
            OutcomeTable(
                "figure9",
                "Speed and accuracy by layout",
                (*_SPEED_COLUMNS, f"training accuracy % after {shortest:.1f} s"),
                speed,
            ),
            OutcomeTable("figure13", "What each rank computed, waited, received and sent", columns, rows),
        ),
        (*_learning(records), *_courses(workers)),
        tuple(record.path.name for record in records.values()),
    )


_SPEED_COLUMNS = ("layout", "ranks", "patches a second", "seconds", "epochs", "last training accuracy %")


def layout_run(study: Study, name: LayoutName) -> RunRecord:
    """The run of one layout: one process for "single", else as many ranks as the paper's layouts take."""
    config = for_layout(study, name)
    return study.trained(f"layout-{name}", config, 1 if name == "single" else ranks_of(study.config))


def ranks_of(config: Config) -> int:
    """Server, a worker a stream, one for the fusion, and a driver: the paper's five PCs.

    Raises
    ------
    ConfigError
        The scene has one modality only.
    """
    streams = len(config.network.modalities or config.scene.modalities)
    if streams < 2:
        raise ConfigError(
            "the scene has one modality", "layouts of streams need two; choose others by --only"
        )
    return streams + 3


def for_layout(study: Study, name: LayoutName) -> Config:
    """The settings for a layout's run."""
    return replace(study.config, layout=replace(study.config.layout, name=name, ranks={}, shares={}))


def _workers(record: RunRecord) -> list[RankRates]:
    """Rates of the ranks that own blocks."""
    workers = owned_network(record).layout.workers
    return [seen for seen in rank_rates(record) if seen.rank in workers]


def _rows(name: str, record: RunRecord) -> list[tuple[str, ...]]:
    rows = []
    steps = max(len(record.steps), 1)
    interfaces = interfaces_of(record.path)
    of_rank = {samples.rank: samples for samples in record.samples}
    for seen in rank_rates(record):
        samples = of_rank[seen.rank]
        seconds = max(samples.last - samples.first, 1e-9)
        totals = [samples.total(key) / _MB for key in ("bytes_in", "bytes_out")]
        rows.append(
            (
                name,
                str(samples.rank),
                *spread(seen.computing.tolist()),
                f"{100 * min(samples.total('waiting') / seconds, 1):.0f}",
                *(f"{total / seconds:.2f}" for total in totals),
                *(f"{total / steps:.3f}" for total in totals),
                *host_counts(interfaces, samples.rank, steps),
            )
        )
    return rows


def _speed(name: str, record: RunRecord, shortest: float) -> tuple[str, ...]:
    """A layout's row: its speed, and what it had learnt by the end of the run that ended first."""
    within = [entry["train_accuracy"] for entry in record.epochs if entry["seconds"] <= shortest]
    summary = record.summary or {}
    return (
        name,
        str(record.ranks),
        f"{summary.get('patches_per_second') or 0:.0f}",
        f"{summary.get('seconds', 0):.1f}",
        str(len(record.epochs)),
        f"{100 * record.epochs[-1]['train_accuracy']:.1f}",
        f"{100 * within[-1]:.1f}" if within else "–",
    )


def _learning(records: Mapping[str, RunRecord]) -> list[OutcomeFigure]:
    key, up = "train_accuracy", "training accuracy"
    by_time = tuple(time_curve(record, key, name) for name, record in records.items())
    by_epoch = tuple(epoch_curve(record, key, name) for name, record in records.items())
    return [
        OutcomeFigure("figure9-time", "Figure 9: accuracy by time", "seconds", up, by_time),
        OutcomeFigure("figure9-epoch", "Figure 9: accuracy by epoch", "epoch", up, by_epoch),
    ]


def _courses(workers: Mapping[str, Sequence[RankRates]]) -> list[OutcomeFigure]:
    """Traffic and CPU of each worker over time, by layout: Figures 11 to 17."""
    figures = []
    for name, ranks in workers.items():
        for key, title, up, scale in (
            ("bytes_in", "received", "MB a second", _MB),
            ("bytes_out", "sent", "MB a second", _MB),
            ("computing", "CPU", "cores", 1.0),
        ):
            curves = tuple(rate_curve(seen, key, f"worker {seen.rank}", scale) for seen in ranks)
            text = f"{_FIGURES[key]}: {title}, by worker, layout {name}"
            figures.append(OutcomeFigure(f"{title.lower()}-{name}", text, "seconds", up, curves))
    return figures


_FIGURES = {"bytes_in": "Figures 11, 14", "bytes_out": "Figures 12, 15", "computing": "Figures 13, 16, 17"}


def _words(records: Mapping[str, RunRecord]) -> list[str]:
    rate = {
        name: float((record.summary or {}).get("patches_per_second") or 0) for name, record in records.items()
    }
    words = [
        f"One process trains {rate['single']:.0f} patches a second, "
        + ", ".join(f"{name} {rate[name]:.0f}" for name in records if name != "single")
        + ".",
        "The paper finds five PCs faster than one; here all ranks share the cores of one machine, so "
        "layouts can "
        "at best be as fast as one process on the same cores. Figure 9 by epoch compares what is learnt, "
        "and that "
        "is the same by construction: all but data end with the bits of one process.",
    ]
    merging = [_merging(records[name]) for name in ("baseline", "optimized")]
    if all(total is not None for total in merging):
        baseline, optimized = (total or (0.0, 0.0) for total in merging)
        down = "less" if optimized[0] < baseline[0] else "more"
        words.append(
            f"The merging worker receives and sends {baseline[0]:.2f} MB a step in the baseline layout and "
            f"{optimized[0]:.2f} in the optimized ({baseline[1]:.2f} and {optimized[1]:.2f} MB a second): "
            f"{down}, where the paper has it fall from {paper.MERGING[0]:g} to {paper.MERGING[1]:g} MB a "
            f"second. "
            "What crosses are activations of the heads in the one and convolution maps in the other, so "
            "it depends "
            "on the widths, which the paper does not state; and the optimized worker owns more "
            "parameters, which "
            "it pushes and pulls each step."
        )
    return words


def _merging(record: RunRecord) -> tuple[float, float] | None:
    """MB of the fusion's worker in and out, a step and a second."""
    network = owned_network(record)
    merging = network.layout.owner[network.shape.output.name][0]
    for samples in record.samples:
        if samples.rank == merging and samples.last > samples.first:
            total = (samples.total("bytes_in") + samples.total("bytes_out")) / _MB
            return total / max(len(record.steps), 1), total / (samples.last - samples.first)
    return None
