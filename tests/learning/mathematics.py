"""What other mathematics than one process do to accuracy: a layout's wires and its batch normalisation.

    mpirun -np 4 python tests/learning/mathematics.py CONFIG OUT --layout optimized --wires float32 bfloat16
    mpirun -np 4 python tests/learning/mathematics.py CONFIG OUT --layout optimized --gradient-wires bfloat16
    mpirun -np 4 python tests/learning/mathematics.py CONFIG OUT --layout sharded --scopes exact per_shard

Seed k draws split k and trains with seed k. Runs are kept in OUT, which all ranks reach; one that is there
already is not trained again. Scored is the epoch with the best validation accuracy. Bytes are those that the
ranks send in a training step: activations, gradients, and sums of the batch.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
from measure import spread, with_seed

import mpmm
from mpmm.messages import Kind, WireFormat, launched_rank, launched_ranks
from mpmm.placement import BatchNormScope, LayoutName, describe, layout_for, schedule, traffic
from mpmm.runs import Run
from mpmm.settings import Config, load_config

# what the choices make smaller; parameters travel as they are
COUNTED = (Kind.ACTIVATION, Kind.GRADIENT, Kind.PUSH, Kind.SUMS, Kind.SUMS_TOTAL)


def variants(config: Config, layout: LayoutName, choices: list[list[str]]) -> Iterator[Config]:
    """The configuration with this layout, and each wire and gradient wire with each scope of batch norms."""
    for wire, gradient_wire, scope in product(*choices):
        chosen = replace(config.layout, name=layout, ranks={}, shares={}, wire=wire, batch_norm=scope)
        yield replace(config, layout=replace(chosen, gradient_wire=gradient_wire))


def trained(config: Config, folder: Path) -> Run:
    """The run of this configuration: as it was found in the folder, or trained there by all ranks."""
    if (folder / "run.json").is_file():
        return Run.open(folder)
    return mpmm.fit(config, run=folder, progress=False)


def best_validation(run: Run) -> float:
    """The best epoch's accuracy on the validation patches, in percent."""
    return max(100 * float(epoch["validation_accuracy"]) for epoch in run.history_)


def bytes_a_step(config: Config, run: Run) -> int:
    """What all ranks send in a training step, of the kinds that are counted."""
    shape, ranks = describe(run.prepared.spec), launched_ranks()
    layout = layout_for(shape, ranks, config.layout.name, options=config.layout_options)
    sent = [traffic(schedule(shape, layout, rank, "train", config.training.batch)) for rank in range(ranks)]
    return sum(each.total("sent", kind).bytes for each in sent for kind in COUNTED)


def row(config: Config, runs: list[Run]) -> str:
    """A row of the table: bytes, and accuracies of all seeds."""
    validation = np.array([best_validation(run) for run in runs])
    test = np.array([100 * (run.evaluate("test").overall_accuracy.value or 0) for run in runs])
    by_seed = " ".join(f"{value:.2f}" for value in test)
    kept = config.layout
    return (
        f"| {kept.name} | {kept.wire} | {kept.gradient_wire} | {kept.batch_norm} "
        f"| {bytes_a_step(config, runs[0]):,} | {spread(validation, 2)} | {spread(test, 2)} | {by_seed} |"
    )


def main() -> None:
    """Read the command line, train with all ranks, print on one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--layout", choices=get_args(LayoutName)[2:], default="optimized")
    parser.add_argument("--wires", nargs="+", choices=get_args(WireFormat), default=["float32"])
    parser.add_argument("--gradient-wires", nargs="+", choices=get_args(WireFormat), default=["float32"])
    parser.add_argument("--scopes", nargs="+", choices=get_args(BatchNormScope), default=["exact"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, help="others than configured")
    given = parser.parse_args()
    config = load_config(given.config)
    if given.epochs is not None:
        config = replace(config, training=replace(config.training, epochs=given.epochs))
    for variant in variants(config, given.layout, [given.wires, given.gradient_wires, given.scopes]):
        kept = variant.layout
        name = f"{kept.name}-{kept.wire}-{kept.gradient_wire}-{kept.batch_norm}"
        runs = [trained(with_seed(variant, seed), given.out / f"{name}-{seed}") for seed in given.seeds]
        if launched_rank() == 0:
            print(row(variant, runs), flush=True)


if __name__ == "__main__":
    main()
