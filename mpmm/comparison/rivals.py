"""Table 3: the network beside classical methods on the same patches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean

from mpmm.baselines import Read, baselines, extras, fitted, predicted, vectors
from mpmm.comparison import paper
from mpmm.comparison.figures import with_interval
from mpmm.comparison.fusion import fused_name, narrowed
from mpmm.comparison.study import Study
from mpmm.preparation import Prepared, restore
from mpmm.records import Outcome, OutcomeTable
from mpmm.results import RunFolder, Scores, read_json, score, write_json

_STATED = {"KNN (k=5)": "KNN", "RBF-SVM": "SVM", "network": "network"}


def rivals(study: Study) -> Outcome:
    """Score KNN, SVM, a random forest and an SVM of pixels on the patches of the whole network."""
    names = study.config.network.modalities or tuple(each.name for each in study.config.scene.modalities)
    every = [_of_seed(study, names, seed) for seed in study.seeds]
    rows = [_row(method, [each[method] for each in every]) for method in every[0]]
    columns = (
        "method",
        "validation %",
        "95% interval, first seed",
        "average %",
        "kappa",
        "paper, validation %",
        "seconds",
    )
    return Outcome(
        "rivals",
        "Table 3: the network beside classical methods",
        tuple(_words({row[0]: float(row[1].split()[0]) for row in rows})),
        (OutcomeTable("table3", "The same training and validation patches for all", columns, tuple(rows)),),
        (),
        tuple(fused_name(names, seed) for seed in study.seeds),
    )


def _of_seed(study: Study, names: tuple[str, ...], seed: int) -> dict[str, tuple[Scores, float]]:
    """Scores and seconds of every method on the patches of one seed, the network's own last."""
    name = fused_name(names, seed)
    record = study.trained(name, narrowed(study.config, names, seed))
    file = record.path / "rivals.json"
    if not file.is_file():
        study.say("baselines", f"on the patches of {name}")
        write_json(file, _measured(restore(RunFolder.open(record.path))))
    measured = {
        method: (Scores.from_dict(plain["scores"]), float(plain["seconds"]))
        for method, plain in read_json(file).items()
    }
    seconds = float((record.summary or {}).get("seconds", 0))
    return {**measured, "network": (study.evaluated(name, "validation").scores, seconds)}


def _measured(prepared: Prepared) -> dict[str, object]:
    """Fit every method on the training patches, and score it on the validation patches."""
    labels = {part: prepared.parts[part].labels for part in ("train", "validation")}
    train, held_out = (_reading(prepared, part) for part in labels)
    features = vectors(train, len(labels["train"]))
    measured: dict[str, object] = {}
    for method, model in {**baselines(), **extras(prepared.config.patches.size)}.items():
        began = time.perf_counter()
        fitted(model, features, labels["train"])
        guess = predicted(model, held_out, len(labels["validation"]))
        scores = score(labels["validation"], guess, prepared.class_names)
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


def _words(values: dict[str, float]) -> list[str]:
    network = values.pop("network")
    best = max(values, key=lambda method: values[method])
    lead = network - values[best]
    verdict = (
        "as in the paper" if lead > 0 else "other than in the paper, where it is ahead of all by 1.2 points"
    )
    return [
        f"The network comes to {network:.1f}%, {best} is the best of the others with {values[best]:.1f}%: "
        f"the "
        f"network is {'ahead' if lead > 0 else 'behind'} by {abs(lead):.1f} points, {verdict}.",
        "With random patches KNN remembers neighbours that overlap what it is asked for, so its figure says "
        "more of the split than of the method; the experiment splits measures that.",
        "The random forest and the per-pixel SVM are not in the paper.",
    ]
