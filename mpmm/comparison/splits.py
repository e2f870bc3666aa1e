"""Random against block split, and the settings' own: what the paper's protocol overstates."""

from __future__ import annotations

from dataclasses import replace

from mpmm.comparison.figures import with_interval
from mpmm.comparison.fusion import fused_name, narrowed
from mpmm.comparison.study import Study
from mpmm.patches import SplitKind
from mpmm.records import Outcome, OutcomeTable, RunRecord
from mpmm.settings import PatchesConfig

KINDS: tuple[SplitKind, ...] = ("random", "block")


def splits(study: Study) -> Outcome:
    """Train on the same settings with patches at random, from blocks that share no pixel, and as given."""
    names = study.config.network.modalities or tuple(each.name for each in study.config.scene.modalities)
    trained: dict[str, list[RunRecord]] = {}
    for kind in dict.fromkeys((*KINDS, study.config.patches.split)):
        config = replace(study.config, patches=_dealt(study.config.patches, kind))
        trained[kind] = [
            study.trained(_run(study, names, kind, seed), narrowed(config, names, seed))
            for seed in study.seeds
        ]
    rows = tuple(_row(study, kind, records) for kind, records in trained.items())
    columns = ("split", "training %", "validation %", "test %", "validation patches that overlap training %")
    return Outcome(
        "splits",
        "Random against block split: what overlapping patches overstate",
        tuple(_words(rows)),
        (OutcomeTable("splits", "The same settings, patches dealt out otherwise", columns, rows),),
        (),
        tuple(record.path.name for records in trained.values() for record in records),
    )


def _dealt(patches: PatchesConfig, kind: SplitKind) -> PatchesConfig:
    """The patches dealt out in another way; files of a given split are for that split alone."""
    if kind == patches.split:
        return patches
    return replace(
        patches, split=kind, labels_train=None, labels_validation=None, labels_test=None, parts=None
    )


def _run(study: Study, names: tuple[str, ...], kind: SplitKind, seed: int) -> str:
    """Name of the run; with the settings' own split it is the run of all modalities."""
    return fused_name(names, seed) if kind == study.config.patches.split else f"split-{kind}-{seed}"


def _row(study: Study, kind: str, records: list[RunRecord]) -> tuple[str, ...]:
    scored = [
        value
        for record in records
        if "test" in record.patches
        and (value := study.evaluated(record.path.name, "test").scores.overall_accuracy.value) is not None
    ]
    leaks = [record.leaks.get("validation", 0.0) for record in records]
    return (
        kind,
        with_interval([record.epochs[-1]["train_accuracy"] for record in records]),
        with_interval(
            [max(entry["validation_accuracy"] or 0.0 for entry in record.epochs) for record in records]
        ),
        with_interval(scored) if scored else "–",
        f"{100 * sum(leaks) / len(leaks):.1f}",
    )


def _words(rows: tuple[tuple[str, ...], ...]) -> list[str]:
    random, block = (float(row[2].split()[0]) for row in rows[:2])
    return [
        f"By the paper's protocol {rows[0][4]}% of the validation patches share pixels with a training "
        f"patch, "
        f"in blocks {rows[1][4]}%.",
        f"Validation accuracy is {random:.1f}% at random and {block:.1f}% in blocks: the overlap, and a "
        f"ground "
        f"that is alike nearby, are worth {random - block:+.1f} points here.",
        "The paper draws its patches at random and does not say how many overlap; its accuracies are to be "
        "read with that.",
    ]
