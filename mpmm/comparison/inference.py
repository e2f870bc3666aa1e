"""Tables 4 and 5: how long 1,000 and 14,000 patches take to classify, and how well, by layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mpmm.comparison import paper
from mpmm.comparison.layouts import layout_run
from mpmm.comparison.study import Study, Timed
from mpmm.records import Outcome, OutcomeTable, RunRecord
from mpmm.runs import Form


@dataclass(frozen=True)
class _Way:
    """A way to classify patches: its name, on how many ranks, and how they share the work."""

    name: str
    run: str
    ranks: int
    form: Form


def inference(study: Study) -> Outcome:
    """Score drawn patches in one process, on each rank a share, and on the layouts of the paper."""
    records = {
        name: layout_run(study, name) for name in ("single", "baseline", "optimized", "hybrid", "auto")
    }
    ranks = records["baseline"].ranks
    ways = [
        _Way("one process", records["single"].path.name, 1, "model"),
        _Way("data", records["baseline"].path.name, ranks, "data"),
        *(
            _Way(name, records[name].path.name, ranks, "model")
            for name in ("baseline", "optimized", "hybrid")
        ),
    ]
    counts = _counts(study, records["single"])
    timed = {
        (way.name, count): study.evaluated(way.run, "validation", way.ranks, way.form, count)
        for way in ways
        for count in counts
    }
    tables = (
        OutcomeTable(
            "table4", "Table 4: seconds, loading included", _columns(counts), _seconds(ways, counts, timed)
        ),
        OutcomeTable(
            "table5", "Table 5: overall accuracy", _columns(counts), _accuracies(ways, counts, timed)
        ),
    )
    return Outcome(
        "inference",
        "Tables 4 and 5: inference by layout",
        tuple(_words(counts, timed)),
        tables,
        (),
        tuple(record.path.name for record in records.values()),
    )


def _counts(study: Study, record: RunRecord) -> tuple[int, ...]:
    """The paper's counts of patches, as far as the scene has so many that were not trained on."""
    scene = study.config.scene.inspect_labels()
    labelled = sum(scene.counts.get(cover.id, 0) for cover in scene.classes)
    # usable centres are fewer than labelled pixels; half of them is sure to be there on any scene of use
    free = (labelled - len(record.patches["train"])) // 2
    counts = tuple(count for count in paper.PATCHES if count <= free)
    return counts or (max(free, 1),)


def _columns(counts: Sequence[int]) -> tuple[str, ...]:
    ours = [f"{count:,} patches" for count in counts]
    return ("layout", "ranks", *ours, *(f"paper, {count:,}" for count in paper.PATCHES))


def _seconds(
    ways: Sequence[_Way], counts: Sequence[int], timed: Mapping[tuple[str, int], Timed]
) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            way.name,
            str(way.ranks),
            *(f"{timed[way.name, count].seconds:.2f}" for count in counts),
            *(f"{each:g}" for each in paper.TABLE_4.get(way.name, ())),
            *([] if way.name in paper.TABLE_4 else ["–", "–"]),
        )
        for way in ways
    )


def _accuracies(
    ways: Sequence[_Way], counts: Sequence[int], timed: Mapping[tuple[str, int], Timed]
) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            way.name,
            str(way.ranks),
            *(f"{timed[way.name, count].scores.overall_accuracy.value or 0:.3f}" for count in counts),
            *(f"{each:g}" for each in paper.TABLE_5.get(way.name, ())),
            *([] if way.name in paper.TABLE_5 else ["–", "–"]),
        )
        for way in ways
    )


def _words(counts: Sequence[int], timed: Mapping[tuple[str, int], Timed]) -> list[str]:
    most = counts[-1]
    seconds = {name: timed[name, most].seconds for name in ("one process", "data", "baseline", "optimized")}
    order = sorted(seconds, key=lambda name: seconds[name])
    same = len({timed[name, most].scores.confusion for name in ("one process", "data", "baseline")}) == 1
    return [
        f"{most:,} patches, fastest first: "
        + ", ".join(f"{name} {seconds[name]:.2f} s" for name in order)
        + ".",
        "In the paper data parallelism is the slowest by two times and the optimized layout the fastest. "
        "There a "
        "PC sends all patches to the others; here every rank reads its own, so data parallel inference sends "
        "nothing but its results. On one machine's cores no layout can be faster than one process.",
        f"One process, data and baseline give "
        f"{'the same classes, patch by patch' if same else 'other classes'}: "
        "for inference, layouts are the same mathematics. The paper's 0.83 and 0.84 are of networks trained "
        "apart.",
    ]
