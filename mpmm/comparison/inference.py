"""Tables 4 and 5: how long 1,000 and 14,000 patches take to classify, and how well, by layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
            for name in ("baseline", "optimized", "hybrid", "auto")
        ),
    ]
    counts = _counts(study, records["single"])
    timed = {
        (way.name, count): study.evaluated(way.run, "validation", way.ranks, way.form, count)
        for way in ways
        for count in counts
    }
    return Outcome(
        "inference",
        "Tables 4 and 5: inference by layout",
        tuple(_words(counts, timed)),
        _tables(ways, counts, timed),
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


def _tables(
    ways: Sequence[_Way], counts: Sequence[int], timed: Mapping[tuple[str, int], Timed]
) -> tuple[OutcomeTable, ...]:
    """Tables 4 and 5, ours beside the paper's."""

    def seconds(way: str, count: int) -> str:
        """How long a way took for so many patches."""
        return f"{timed[way, count].seconds:.2f}"

    def accuracy(way: str, count: int) -> str:
        """How well a way classified so many patches."""
        return f"{timed[way, count].scores.overall_accuracy.value or 0:.3f}"

    columns = _columns(counts)
    table4 = _rows(ways, counts, seconds, paper.TABLE_4)
    table5 = _rows(ways, counts, accuracy, paper.TABLE_5)
    return (
        OutcomeTable("table4", "Table 4: seconds, loading included", columns, table4),
        OutcomeTable("table5", "Table 5: overall accuracy", columns, table5),
    )


def _rows(
    ways: Sequence[_Way],
    counts: Sequence[int],
    cell: Callable[[str, int], str],
    published: Mapping[str, Sequence[float]],
) -> tuple[tuple[str, ...], ...]:
    """A row a way: its ranks, a cell for each count of patches, and the paper's own figures beside them."""
    unknown = ("–",) * len(paper.PATCHES)
    return tuple(
        (
            way.name,
            str(way.ranks),
            *(cell(way.name, count) for count in counts),
            *([f"{each:g}" for each in published[way.name]] if way.name in published else unknown),
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
