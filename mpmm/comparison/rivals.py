"""Table 3: the network beside classical methods on the same patches."""

from __future__ import annotations

import time

from mpmm.baselines import Read, baselines, extras, fitted, predicted, vectors
from mpmm.comparison import paper
from mpmm.comparison.fusion import narrowed, run_name
from mpmm.comparison.study import Study
from mpmm.preparation import Prepared, restore
from mpmm.records import Outcome, OutcomeTable
from mpmm.results import RunFolder, Scores, read_json, score, write_json

_STATED = {"KNN (k=5)": "KNN", "RBF-SVM": "SVM", "network": "network"}


def rivals(study: Study) -> Outcome:
    """Score KNN, SVM, a random forest and a per-pixel SVM on the patches of the network of both "
    "modalities."""
    names = study.config.network.modalities or tuple(each.name for each in study.config.scene.modalities)
    name = run_name("both" if len(names) == 2 else "all", 0)
    record = study.trained(name, narrowed(study.config, names, 0))
    file = record.path / "rivals.json"
    if not file.is_file():
        study.say("baselines", f"on the patches of {name}")
        write_json(file, _measured(restore(RunFolder.open(record.path))))
    measured = read_json(file)
    rows = []
    for method, plain in measured.items():
        rows.append(_row(method, Scores.from_dict(plain["scores"]), f"{plain['seconds']:.1f}"))
    network = study.evaluated(name, "validation").scores
    rows.append(_row("network", network, f"{(record.summary or {}).get('seconds', 0):.1f}"))
    columns = (
        "method",
        "validation %",
        "95% interval",
        "average %",
        "kappa",
        "paper, validation %",
        "seconds",
    )
    return Outcome(
        "rivals",
        "Table 3: the network beside classical methods",
        tuple(_words({row[0]: float(row[1]) for row in rows})),
        (OutcomeTable("table3", "The same training and validation patches for all", columns, tuple(rows)),),
        (),
        (name,),
    )


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


def _row(method: str, scores: Scores, seconds: str) -> tuple[str, ...]:
    overall = scores.overall_accuracy
    stated = paper.TABLE_3.get(_STATED.get(method, ""))
    return (
        method,
        f"{100 * (overall.value or 0):.1f}",
        f"{100 * (overall.low or 0):.1f} to {100 * (overall.high or 0):.1f}",
        f"{100 * (scores.average_accuracy or 0):.1f}",
        "–" if scores.kappa is None else f"{scores.kappa:.3f}",
        "–" if stated is None else f"{stated}",
        seconds,
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
        "more of the split than of the method; the experiment `splits` measures that.",
        "The random forest and the per-pixel SVM are not in the paper.",
    ]
