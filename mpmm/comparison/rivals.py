"""Table 3: the network beside classical methods on the same patches."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from statistics import fmean

from mpmm.baselines import Read, baselines, extras, fitted, predicted, vectors
from mpmm.comparison import paper
from mpmm.comparison.figures import with_interval
from mpmm.comparison.fusion import HELD_BACK, fused_name, narrowed
from mpmm.comparison.study import Study
from mpmm.preparation import Prepared, restore
from mpmm.records import Outcome, OutcomeTable, RunRecord
from mpmm.results import RunFolder, Scores, read_json, score, write_json

_STATED = {"KNN (k=5)": "KNN", "RBF-SVM": "SVM", "network": "network"}


def rivals(study: Study) -> Outcome:
    """Score KNN, SVM, a random forest and an SVM of pixels on the patches of the whole network.

    On the validation patches as the paper does, on the test patches where none are for validation.
    """
    names = study.config.network.modalities or tuple(each.name for each in study.config.scene.modalities)
    records = [
        study.trained(fused_name(names, seed), narrowed(study.config, names, seed)) for seed in study.seeds
    ]
    held_back = (part for part in HELD_BACK if all(part in record.patches for record in records))
    words = ["All patches are for training: nothing is held back to compare methods on."]
    tables: tuple[OutcomeTable, ...] = ()
    if part := next(held_back, None):
        words, tables = _compared(part, [_of_seed(study, record, part) for record in records])
    return Outcome(
        "rivals",
        "Table 3: the network beside classical methods",
        tuple(words),
        tables,
        (),
        tuple(record.path.name for record in records),
    )


def _compared(
    part: str, every: Sequence[Mapping[str, tuple[Scores, float]]]
) -> tuple[list[str], tuple[OutcomeTable, ...]]:
    """What the methods' scores of all seeds come to, in words and as Table 3."""
    rows = tuple(_row(method, [each[method] for each in every]) for method in every[0])
    columns = (
        "method",
        f"{part} %",
        "95% interval, first seed",
        "average %",
        "kappa",
        "paper, validation %",
        "seconds",
    )
    table = OutcomeTable("table3", f"The same training and {part} patches for all", columns, rows)
    return _words({row[0]: float(row[1].split()[0]) for row in rows}, part), (table,)


def _of_seed(study: Study, record: RunRecord, part: str) -> dict[str, tuple[Scores, float]]:
    """Scores and seconds of every method on a part's patches of one seed, the network's own last."""
    file = record.path / "rivals.json"
    if not file.is_file():
        study.say("baselines", f"on the patches of {record.path.name}")
        write_json(file, _measured(restore(RunFolder.open(record.path)), part))
    measured = {
        method: (Scores.from_dict(plain["scores"]), float(plain["seconds"]))
        for method, plain in read_json(file).items()
    }
    seconds = float((record.summary or {}).get("seconds", 0))
    return {**measured, "network": (study.evaluated(record.path.name, part).scores, seconds)}


def _measured(prepared: Prepared, part: str) -> dict[str, object]:
    """Fit every method on the training patches, and score it on those of the part."""
    labels = {name: prepared.parts[name].labels for name in ("train", part)}
    train, held_out = (_reading(prepared, name) for name in labels)
    features = vectors(train, len(labels["train"]))
    measured: dict[str, object] = {}
    for method, model in {**baselines(), **extras(prepared.config.patches.size)}.items():
        began = time.perf_counter()
        fitted(model, features, labels["train"])
        guess = predicted(model, held_out, len(labels[part]))
        scores = score(labels[part], guess, prepared.class_names)
        measured[method] = {"scores": scores.to_dict(), "seconds": time.perf_counter() - began}
    return measured


def _reading(prepared: Prepared, part: str) -> Read:
    read = prepared.reader(part)
    return lambda indices: read(indices, 0).inputs


def _row(method: str, seeds: Sequence[tuple[Scores, float]]) -> tuple[str, ...]:
    """A method's scores: of the mean over seeds its interval; of the first seed that of its patches."""
    overall = seeds[0][0].overall_accuracy
    kappas = [scores.kappa for scores, _ in seeds if scores.kappa is not None]
    stated = paper.TABLE_3.get(_STATED.get(method, ""))
    return (
        method,
        with_interval([scores.overall_accuracy.value or 0 for scores, _ in seeds]),
        f"{100 * (overall.low or 0):.1f} to {100 * (overall.high or 0):.1f}",
        with_interval([scores.average_accuracy or 0 for scores, _ in seeds]),
        f"{fmean(kappas):.3f}" if kappas else "–",
        "–" if stated is None else f"{stated}",
        f"{fmean(seconds for _, seconds in seeds):.1f}",
    )


def _words(values: dict[str, float], part: str) -> list[str]:
    network = values.pop("network")
    best = max(values, key=lambda method: values[method])
    lead = network - values[best]
    verdict = (
        "as in the paper" if lead > 0 else "other than in the paper, where it is ahead of all by 1.2 points"
    )
    where = f"{'ahead' if lead > 0 else 'behind'} by {abs(lead):.1f} points"
    return [
        f"The network comes to {network:.1f}% of the {part} patches, {best} is the best of the others "
        f"with {values[best]:.1f}%: the network is {where}, {verdict}.",
        "With random patches KNN remembers neighbours that overlap what it is asked for, so its figure says "
        "more of the split than of the method; the experiment splits measures that.",
        "The random forest and the per-pixel SVM are not in the paper.",
    ]
