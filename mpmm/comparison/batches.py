"""Figure 10: traffic of all ranks over time, by batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mpmm.comparison import paper
from mpmm.comparison.figures import rank_rates
from mpmm.comparison.layouts import for_layout, ranks_of
from mpmm.comparison.study import Study
from mpmm.records import Curve, Outcome, OutcomeFigure, OutcomeTable, RunRecord

QUICK_EPOCHS = 3
_MB = 1e6


def batches(study: Study) -> Outcome:
    """Train on the baseline layout with the paper's batches, and read the traffic of all ranks together."""
    records = {batch: _batch_run(study, batch) for batch in paper.BATCHES}
    rows = tuple(_batch_row(batch, record) for batch, record in records.items())
    columns = ("batch", "steps a second", "MB a second, all ranks", "kB a patch", "MB a step")
    curves = [_all_traffic(record, f"batch {batch}") for batch, record in records.items()]
    least, most = rows[0], rows[-1]
    return Outcome(
        "batches",
        "Figure 10: traffic of all ranks over time, by batch",
        (
            f"A patch costs {least[3]} kB of messages at batch {least[0]} and {most[3]} kB at batch "
            f"{most[0]}: the "
            "parameters cross once a step, whatever the batch, so large batches send less in all, as the "
            "paper "
            "finds for its cluster. What all ranks send together is what they receive together: in and out "
            "are the same.",
            "Counted by the ranks' own channels, MPI's headers left out; over shared memory nothing is held "
            "back by a link, so rates are those of the computing.",
        ),
        (OutcomeTable("figure10", "Traffic by batch, baseline layout", columns, rows),),
        (OutcomeFigure("figure10-traffic", "Figure 10: all ranks", "seconds", "MB a second", tuple(curves)),),
        tuple(record.path.name for record in records.values()),
    )


def _batch_run(study: Study, batch: int) -> RunRecord:
    config = for_layout(study, "baseline")
    epochs = min(config.training.epochs, QUICK_EPOCHS) if study.quick else config.training.epochs
    training = replace(config.training, batch=batch, epochs=epochs)
    return study.trained(f"batch-{batch}", replace(config, training=training), ranks_of(study.config))


def _batch_row(batch: int, record: RunRecord) -> tuple[str, ...]:
    total = sum(samples.total("bytes_out") for samples in record.samples) / _MB
    steps, patches = len(record.steps), sum(entry["patches"] for entry in record.steps)
    spent = sum(entry["seconds"] for entry in record.steps)
    return (
        str(batch),
        f"{steps / spent:.1f}",
        f"{total / spent:.2f}",
        f"{1000 * total / patches:.1f}",
        f"{total / steps:.3f}",
    )


def _all_traffic(record: RunRecord, name: str) -> Curve:
    """Bytes sent by all ranks over time, on the seconds of the rank with the most samples.

    The seconds are those the table has, whole milliseconds, so that whoever reads the logs at a row's
    second finds the samples the row was made of.
    """
    seen = rank_rates(record)
    if not seen:
        return Curve(name, (), ())
    seconds = np.floor(1000 * max(seen, key=len).ended) / 1000
    total = [
        sum(float(rank.bytes_out[(rank.began < second) & (second <= rank.ended)].sum()) for rank in seen)
        / _MB
        for second in seconds
    ]
    return Curve(name, tuple(seconds.tolist()), tuple(round(each, 6) for each in total))
