"""Random against block split, and the settings' own: what the paper's protocol overstates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from mpmm.comparison.fusion import HELD_BACK, accuracies, fused_name, narrowed
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
        tuple(_words(trained, rows)),
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
    return (kind, *accuracies(study, records), _overlap(records))


def _overlap(records: Sequence[RunRecord]) -> str:
    """Share of the validation patches that overlap training, or else of the test patches, or why neither."""
    for part, named in (("validation", ""), ("test", " (of the test patches)")):
        shares = [record.leaks[part] for record in records if part in record.leaks]
        if shares:
            return f"{100 * fmean(shares):.1f}{named}"
    return "– (all patches are for training)"


def _words(trained: Mapping[str, Sequence[RunRecord]], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Say what overlap is worth by the first part that is held back at random and in blocks alike."""
    records = [record for kind in KINDS for record in trained[kind]]
    held_back = (part for part in HELD_BACK if all(part in record.leaks for record in records))
    if part := next(held_back, None):
        random, block = (float(row[HELD_BACK[part]].split()[0]) for row in rows[:2])
        shares = (100 * fmean(record.leaks[part] for record in trained[kind]) for kind in KINDS)
        drawn, dealt = (f"{share:.1f}%" for share in shares)
        yield (
            f"By the paper's protocol {drawn} of the {part} patches share pixels with a training patch, "
            f"in blocks {dealt}."
        )
        yield (
            f"{part.capitalize()} accuracy is {random:.1f}% at random and {block:.1f}% in blocks: the "
            f"overlap, and a ground that is alike nearby, are worth {random - block:+.1f} points here."
        )
    yield (
        "The paper draws its patches at random and does not say how many overlap; its accuracies are to be "
        "read with that."
    )
