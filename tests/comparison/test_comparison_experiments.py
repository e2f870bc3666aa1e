"""Experiments over runs that are written, not trained: every number is one of the runs' own files."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import report_runs
from comparison_checks import differences, rows_of
from comparison_runs import Written, a_study
from report_runs import RANKS, epoch_figures, scores_of

from mpmm.comparison import EXPERIMENTS, Study, compare, experiments, paper, rivals, study
from mpmm.errors import ConfigError, RunError
from mpmm.records import is_comparison, read_outcomes, read_record
from mpmm.report import write_comparison_report
from mpmm.settings import load_config


@pytest.fixture
def written(monkeypatch) -> Written:
    launch = Written()
    monkeypatch.setattr(study, "launch", launch)
    return launch


@pytest.fixture(scope="module")
def whole(tmp_path_factory, config) -> Iterator[tuple[Path, Written]]:
    """A quick comparison of all experiments, as `mpmm compare --quick` leaves it."""
    folder, launch = tmp_path_factory.mktemp("whole"), Written()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study, "launch", launch)
        compare(a_study(folder, config))
    return folder, launch


def test_all_numbers_are_those_of_the_logs(whole):
    assert {path.parent.name for path in whole[0].glob("experiments/*/outcome.json")} == set(EXPERIMENTS)
    assert differences(whole[0]) == []


# a figure of each kind of log: where it stands, and which tables and curves show it
FALSIFIED = [
    ("fusion-rgb-0/metrics.jsonl", '"train_accuracy": 0.8', {"table2", "figure8-accuracy"}),
    ("layout-data/metrics.jsonl", '"train_accuracy": 0.8', {"figure9", "figure9-epoch", "figure9-time"}),
    ("layout-data/run.json", '"seconds": 75.5', {"figure9"}),
    ("layout-data/monitor/rank-2.jsonl", '"bytes_in": 60000', {"figure13", "received-data"}),
    ("layout-data/monitor/rank-2.jsonl", '"cpu_computing": 6.0', {"figure13", "cpu-data"}),
    ("batch-50/monitor/rank-2.jsonl", '"bytes_out": 120000', {"figure10", "figure10-traffic"}),
    ("fusion-both-0/timed/1000-5-data.json", '"seconds": 2.5', {"table4"}),
    ("fusion-both-0/timed/1000-5-data.json", '"confusion": [ [ 0', {"table5"}),
    ("fusion-both-0/timed/validation-1-model.json", '"confusion": [ [ 0', {"table3"}),
    ("split-block-0/split.json", '"validation": 0.0', {"splits"}),
]


@pytest.mark.parametrize(("log", "figure", "shown"), FALSIFIED)
def test_a_falsified_log_is_noticed(whole, log, figure, shown):
    path = whole[0] / "runs" / log
    right = path.read_text()
    # its first digit is another
    pattern = re.escape(figure).replace(r"\ ", r"\s*") + r"(?![\d.])"
    falsified = re.sub(pattern, lambda match: re.sub(r"\d", "9", match[0], count=1), right)
    assert falsified != right
    path.write_text(falsified)
    try:
        noticed = {line.split(".csv")[0] for line in differences(whole[0])}
    finally:
        path.write_text(right)
    assert noticed == shown


def test_a_falsified_cell_of_any_table_or_curve_is_noticed(whole):
    tables = {path: path.read_text() for path in whole[0].glob("experiments/*/*.csv")}
    assert len(tables) == 4 + 1 + 3 + 2 + 2 + 1 + 3 * 5
    for path, right in tables.items():
        column = {"table3": 1, "figure13": 8}.get(path.stem, 2)
        *rows, last = csv.reader(io.StringIO(right))
        last[column] = f"{float(last[column]) + 1}"
        with path.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([*rows, last])
    noticed = {line.split(".csv")[0] for line in differences(whole[0])}
    for path, right in tables.items():
        path.write_text(right)
    assert noticed == {path.stem for path in tables}


def test_fusion_reads_its_figures_from_the_logs_and_sets_the_papers_beside_them(whole):
    folder, _ = whole
    rows = {row["network sees"]: row for row in rows_of(folder / "experiments" / "fusion" / "table2.csv")}
    assert set(rows) == {"HSI", "RGB", "both"}
    for name, row in rows.items():
        record = read_record(folder / "runs" / f"fusion-{name.lower()}-0")
        best = max(entry["validation_accuracy"] for entry in record.epochs)
        assert row["validation %"] == f"{100 * best:.1f}"
        assert row["test %"] == "80.0"
        assert float(row["paper, validation %"]) == paper.TABLE_2[name]
        assert (
            record.settings["network"]["modalities"]
            == {
                "HSI": ["hsi"],
                "RGB": ["rgb"],
                "both": ["hsi", "rgb"],
            }[name]
        )
    points = rows_of(folder / "experiments" / "fusion" / "figure8-loss.csv")
    assert [point for point in points if point["curve"] == "RGB, training"] == [
        {"curve": "RGB, training", "epoch": f"{epoch}.0", "loss": f"{3 / epoch}"} for epoch in (1, 2, 3)
    ]
    assert (folder / "experiments" / "fusion" / "figure8-loss.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_complete_is_not_done_again(whole, config, written):
    compare(a_study(whole[0], config), ["fusion", "inference"])
    assert written.jobs == []
    assert len(whole[1].jobs) == len(set(whole[1].jobs))


class Cut(Exception):
    """What ends a comparison in the middle."""


def measured_at_once(prepared, part) -> dict[str, object]:
    """In place of fitting the classical methods, which takes seconds."""
    scores = scores_of(prepared, part, 6).to_dict()
    return {method: {"scores": scores, "seconds": 1.0} for method in ("KNN (k=5)", "RBF-SVM")}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_experiment_alone_goes_on_where_it_was_cut_off(tmp_path, config, monkeypatch, name):
    launch = Written()

    def cut(file: Path, ranks: int) -> None:
        """The first job is done, the second never begins."""
        if launch.jobs:
            raise Cut
        launch(file, ranks)

    monkeypatch.setattr(study, "launch", cut)
    monkeypatch.setattr(rivals, "_measured", measured_at_once)
    monkeypatch.setattr(experiments, "draw_curves", lambda *_: None)
    with pytest.raises(Cut):
        compare(a_study(tmp_path, config), [name])
    assert not is_comparison(tmp_path)
    monkeypatch.setattr(study, "launch", launch)
    compare(a_study(tmp_path, config), [name])
    assert len(launch.jobs) == len(set(launch.jobs)) > 1
    assert [outcome.name for outcome in read_outcomes(tmp_path)] == [name]
    assert differences(tmp_path) == []


def test_every_accuracy_has_its_interval_over_seeds(tmp_path, config, written, monkeypatch):
    monkeypatch.setattr(rivals, "_measured", measured_at_once)
    monkeypatch.setattr(experiments, "draw_curves", lambda *_: None)
    names = ["fusion", "rivals", "splits", "inference"]
    compare(a_study(tmp_path, config, quick=False), names)
    for table, columns in {
        "table2": ("training %", "validation %", "test %"),
        "table3": ("validation %", "average %"),
        "splits": ("training %", "validation %", "test %"),
        "table5": ("1,000 patches",),
    }.items():
        (path,) = tmp_path.glob(f"experiments/*/{table}.csv")
        assert all(" ± " in row[column] for row in rows_of(path) for column in columns)
    assert differences(tmp_path) == []
    rows = rows_of(tmp_path / "experiments" / "splits" / "splits.csv")
    assert [row["split"] for row in rows] == ["random", "block"]
    assert rows[0]["test %"] == "80.0 ± 0.0"
    # the settings' own split is that of the network of both modalities
    leaks = [read_record(tmp_path / "runs" / f"fusion-both-{seed}").leaks["validation"] for seed in range(3)]
    column = "validation patches that overlap training %"
    assert rows[0][column] == f"{100 * sum(leaks) / 3:.1f}"
    assert rows[1][column] == "0.0"


def test_a_given_split_stands_beside_the_two(tmp_path, config, written):
    settings = load_config(config)
    drawn = a_study(tmp_path / "drawn", config)
    drawn.trained("drawn", settings)
    lines = ["row,column,part"]
    for part, samples in read_record(tmp_path / "drawn" / "runs" / "drawn").patches.items():
        lines += [f"{row},{column},{part}" for row, column in zip(samples.rows, samples.columns, strict=True)]
    (tmp_path / "parts.csv").write_text("\n".join(lines) + "\n")
    patches = replace(settings.patches, split="given", parts=str(tmp_path / "parts.csv"))
    given = replace(settings, patches=patches)
    compare(Study(tmp_path / "given", given, True, lambda label, text: None), ["splits"])
    rows = rows_of(tmp_path / "given" / "experiments" / "splits" / "splits.csv")
    assert [row["split"] for row in rows] == ["random", "block", "given"]


def test_a_quick_comparison_takes_few_epochs_and_patches(config):
    settings = load_config(config)
    long = replace(settings.training, epochs=500)
    large = replace(settings, training=long, patches=replace(settings.patches, per_class=None))
    quick = Study(Path("unused"), large, True, lambda label, text: None).config
    assert (quick.training.epochs, quick.patches.per_class) == (10, 100)
    assert Study(Path("unused"), large, False, lambda label, text: None).config == large
    assert a_study(Path("unused"), config).config == settings


def test_rates_of_ranks_are_those_of_their_samples(whole):
    rows = rows_of(whole[0] / "experiments" / "layouts" / "figure13.csv")
    third = next(row for row in rows if (row["layout"], row["rank"]) == ("baseline", "3"))
    assert third["CPU, cores: mean"] == third["median"] == "0.30"
    assert third["deviation"] == "0.00"
    assert third["waited %"] == "70"
    # 1000 bytes a second in and 2000 out times the rank's number, over 30 seconds and 30 steps
    assert float(third["MB out, a step"]) == pytest.approx(0.006)
    assert sum(row["layout"] == "optimized" for row in rows) == RANKS
    # all runs take 5 s an epoch, so none had less time than another
    speed = rows_of(whole[0] / "experiments" / "layouts" / "figure9.csv")
    assert {row["training accuracy % after 15.0 s"] for row in speed} == {"80.0"}
    assert read_record(whole[0] / "runs" / "layout-single").ranks == 1


def test_inference_and_batches(whole):
    (first, *_) = rows_of(whole[0] / "experiments" / "inference" / "table4.csv")
    assert first["layout"] == "one process"
    named = [row["layout"] for row in rows_of(whole[0] / "experiments" / "inference" / "table5.csv")]
    assert named == ["one process", "data", "baseline", "optimized", "hybrid", "auto"]
    assert "2.50" in first.values()
    traffic = rows_of(whole[0] / "experiments" / "batches" / "figure10.csv")
    assert [int(row["batch"]) for row in traffic] == list(paper.BATCHES)
    settings = [read_record(whole[0] / "runs" / f"batch-{row['batch']}").settings for row in traffic]
    assert [each["training"]["batch"] for each in settings] == list(paper.BATCHES)


def test_rivals_are_scored_on_the_networks_own_patches(whole):
    rows = rows_of(whole[0] / "experiments" / "rivals" / "table3.csv")
    assert [row["method"] for row in rows] == [
        "KNN (k=5)",
        "RBF-SVM",
        "random forest",
        "RBF-SVM, centre pixel",
        "network",
    ]
    assert rows[-1]["validation %"] == "90.0"
    assert [row["paper, validation %"] for row in rows] == ["82.4", "74.1", "–", "–", "83.6"]


def test_the_report_of_a_comparison_holds_every_table(whole, tmp_path):
    assert is_comparison(whole[0])
    write_comparison_report(tmp_path / "report.html", whole[0])
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for outcome in read_outcomes(whole[0]):
        assert f'id="{outcome.name}"' in text
        for table in outcome.tables:
            assert all(f">{cell}<" in text for row in table.rows for cell in row)
    assert "http" not in text.split("<script")[0].replace("http-equiv", "")
    assert len(re.sub(r"data:image/\w+;base64,[\w+/=]+", "", text).encode()) < 0.75e6


def test_an_empty_comparison_has_no_report(tmp_path):
    (tmp_path / "experiments").mkdir()
    with pytest.raises(RunError, match="no experiment is complete"):
        write_comparison_report(tmp_path / "report.html", tmp_path)


def test_a_run_with_other_settings_is_refused(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["splits"])
    other = a_study(tmp_path, config)
    settings = json.loads((tmp_path / "runs" / "split-block-0" / "config.json").read_text())
    settings["training"]["rate"] = 0.5
    (tmp_path / "runs" / "split-block-0" / "config.json").write_text(json.dumps(settings))
    with pytest.raises(RunError, match="other settings"):
        compare(other, ["splits"])


def test_a_scene_of_one_modality_fuses_nothing(tmp_path, config, written):
    settings = load_config(config)
    network = replace(settings.network, modalities=("rgb",))
    alone = Study(tmp_path, replace(settings, network=network), True, lambda label, text: None)
    for name in ("fusion", "layouts"):
        with pytest.raises(ConfigError, match="one modality"):
            compare(alone, [name])
    assert written.jobs == []


def test_the_names_of_the_command_are_those_of_the_experiments():
    from mpmm.commands.compare import NAMES

    assert tuple(EXPERIMENTS) == NAMES


@pytest.mark.parametrize(
    ("shares", "overlap", "said", "fused", "table3"),
    [
        (
            (0.7, 0.0, 0.3),
            ("{leak} (of the test patches)", "0.0 (of the test patches)"),
            "{leak}% of the test",
            "% of the test patches, ",
            {"KNN (k=5)": "92.5", "RBF-SVM": "92.5", "network": "90.0"},
        ),
        (
            (1.0, 0.0, 0.0),
            ("– (all patches are for training)",) * 2,
            "The paper draws its patches at random",
            "nothing is held back",
            {},
        ),
    ],
)
def test_without_validation_patches_the_test_parts_overlap_is_told_or_none(
    tmp_path, config, written, monkeypatch, shares, overlap, said, fused, table3
):
    """It was told as 0.0%, whatever the test patches shared with training, and the accuracy too; and
    classical methods were not to be compared at all."""
    monkeypatch.setattr(rivals, "_measured", measured_at_once)
    monkeypatch.setattr(
        report_runs, "epoch_figures", lambda epoch: {**epoch_figures(epoch), "validation_accuracy": None}
    )
    settings = load_config(config)
    held = replace(settings, patches=replace(settings.patches, shares=shares))
    compare(Study(tmp_path, held, True, lambda label, text: None), ["splits", "fusion", "rivals"])
    outcomes = {outcome.name: outcome for outcome in read_outcomes(tmp_path)}
    networks = rows_of(tmp_path / "experiments" / "fusion" / "table2.csv")
    assert [row["validation %"] for row in networks] == ["–"] * 3
    assert fused in outcomes["fusion"].words[0]
    assert fused.lstrip("%").rstrip(", ") in outcomes["rivals"].words[0]
    shown = tmp_path / "experiments" / "rivals" / "table3.csv"
    assert table3 == ({row["method"]: row["test %"] for row in rows_of(shown)} if shown.exists() else {})
    rows = rows_of(tmp_path / "experiments" / "splits" / "splits.csv")
    leak = f"{100 * read_record(tmp_path / 'runs' / 'fusion-both-0').leaks.get('test', 0.0):.1f}"
    told = [row["validation patches that overlap training %"] for row in rows]
    assert told == [each.format(leak=leak) for each in overlap]
    assert [row["validation %"] for row in rows] == ["–", "–"]
    assert said.format(leak=leak) in outcomes["splits"].words[0]
