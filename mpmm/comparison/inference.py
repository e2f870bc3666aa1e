"""Tables 4 and 5: how long 1,000 and 14,000 patches take to classify, and how well, by layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from mpmm.comparison import paper
from mpmm.comparison.figures import with_interval
from mpmm.comparison.fusion import fused_name, narrowed
from mpmm.comparison.layouts import ranks_of
from mpmm.comparison.study import Study, Timed
from mpmm.placement import LayoutName
from mpmm.records import Outcome, OutcomeTable, RunRecord

ONE = "one process"
WAYS: tuple[LayoutName, ...] = ("data", "baseline", "optimized", "hybrid", "auto")
# a way and a count of patches: what each seed's network came to
Measured = Mapping[tuple[str, int], Sequence[Timed]]


def inference(study: Study) -> Outcome:
    """Score drawn patches with the networks of all modalities: in one process, and on each layout's ranks."""
    names = study.config.network.modalities or tuple(each.name for each in study.config.scene.modalities)
    ranks: dict[str, int] = {ONE: 1} | dict.fromkeys(WAYS, ranks_of(study.config))
    records = [
        study.trained(fused_name(names, seed), narrowed(study.config, names, seed)) for seed in study.seeds
    ]
    counts = _counts(study, records[0])
    measured = {
        (way, count): [_timed(study, record, way, ranks[way], count) for record in records]
        for count in counts
        for way in ranks
    }
    return Outcome(
        "inference",
        "Tables 4 and 5: inference by layout",
        tuple(_words(counts, measured)),
        _tables(ranks, counts, measured),
        (),
        tuple(record.path.name for record in records),
    )


def _timed(study: Study, record: RunRecord, way: str, ranks: int, count: int) -> Timed:
    """Scores of so many drawn patches, in one process or on a layout's ranks."""
    layout = next((name for name in WAYS if name == way), None)
    return study.evaluated(record.path.name, "validation", layout, ranks, count)


def _counts(study: Study, record: RunRecord) -> tuple[int, ...]:
    """The paper's counts of patches, as far as the scene has so many that were not trained on."""
    scene = study.config.scene.inspect_labels()
    labelled = sum(scene.counts.get(cover.id, 0) for cover in scene.classes)
    # usable centres are fewer than labelled pixels; half of them is sure to be there on any scene of use
    free = (labelled - len(record.patches["train"])) // 2
    counts = tuple(count for count in paper.PATCHES if count <= free)
    return counts or (max(free, 1),)


def _tables(
    ranks: Mapping[str, int], counts: Sequence[int], measured: Measured
) -> tuple[OutcomeTable, OutcomeTable]:
    """Tables 4 and 5, ours beside the paper's."""
    ours = [f"{count:,} patches" for count in counts]
    intervals = [f"95% interval of {count:,}, first seed" for count in counts]
    stated = [f"paper, {count:,}" for count in paper.PATCHES]

    def rows(
        kinds: Sequence[Callable[[Sequence[Timed]], str]], published: Mapping[str, Sequence[float]]
    ) -> tuple[tuple[str, ...], ...]:
        """A row a way: its ranks, the cells of each kind for each count, and the paper's own figures."""
        return tuple(
            (
                way,
                str(number),
                *(kind(measured[way, count]) for kind in kinds for count in counts),
                *_published(way, published),
            )
            for way, number in ranks.items()
        )

    seconds = rows([_seconds], paper.TABLE_4)
    accuracy = rows([_accuracy, _interval], paper.TABLE_5)
    return (
        OutcomeTable(
            "table4", "Table 4: seconds, loading included", ("layout", "ranks", *ours, *stated), seconds
        ),
        OutcomeTable(
            "table5",
            "Table 5: overall accuracy",
            ("layout", "ranks", *ours, *intervals, *stated),
            accuracy,
        ),
    )


def _published(way: str, stated: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """What the paper states of a layout, for each of its counts."""
    return tuple(f"{each:g}" for each in stated[way]) if way in stated else ("–",) * len(paper.PATCHES)


def _seconds(seeds: Sequence[Timed]) -> str:
    return f"{fmean(timed.seconds for timed in seeds):.2f}"


def _accuracy(seeds: Sequence[Timed]) -> str:
    return with_interval([timed.scores.overall_accuracy.value or 0 for timed in seeds], 1, 3)


def _interval(seeds: Sequence[Timed]) -> str:
    """Of the first seed's patches: the interval of an accuracy over so many drawn patches."""
    overall = seeds[0].scores.overall_accuracy
    return f"{overall.low or 0:.3f} to {overall.high or 0:.3f}"


def _words(counts: Sequence[int], measured: Measured) -> list[str]:
    most = counts[-1]
    seconds = {
        way: fmean(timed.seconds for timed in measured[way, most])
        for way in (ONE, "data", "baseline", "optimized")
    }
    order = sorted(seconds, key=lambda way: seconds[way])
    same = all(len({timed.scores.confusion for timed in seeds}) == 1 for seeds in _by_seed(most, measured))
    listed = ", ".join(f"{way} {seconds[way]:.2f} s" for way in order)
    return [
        f"{most:,} patches, fastest first: {listed}.",
        "In the paper data parallelism is the slowest by two times and the optimized layout the fastest. "
        "There a PC sends all patches to the others; here every rank reads its own, so data parallel "
        "inference sends nothing but its results. On one machine's cores no layout can be faster than one "
        "process.",
        f"One process and all layouts give {'the same' if same else 'other'} confusion matrices: for "
        "inference, layouts are the same mathematics. The paper's 0.83 and 0.84 are of networks trained "
        "apart.",
    ]


def _by_seed(count: int, measured: Measured) -> list[tuple[Timed, ...]]:
    """For each seed what all ways came to."""
    return list(zip(*(seeds for (_, each), seeds in measured.items() if each == count), strict=True))
