"""Experiments over runs that are written, not trained: every number is one of the runs' own files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from comparison_runs import Written, a_study, rows_of
from report_runs import RANKS

from mpmm.comparison import EXPERIMENTS, Study, compare, paper, study
from mpmm.errors import ConfigError, RunError
from mpmm.records import is_comparison, read_outcomes, read_record
from mpmm.report import write_comparison_report
from mpmm.settings import load_config


@pytest.fixture
def written(monkeypatch) -> Written:
    launch = Written()
    monkeypatch.setattr(study, "launch", launch)
    return launch


def test_fusion_reads_its_figures_from_the_logs_and_sets_the_papers_beside_them(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["fusion"])
    rows = {row["network sees"]: row for row in rows_of(tmp_path / "experiments" / "fusion" / "table2.csv")}
    assert set(rows) == {"HSI", "RGB", "both"}
    for name, row in rows.items():
        record = read_record(tmp_path / "runs" / f"fusion-{name.lower()}-0")
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
    points = rows_of(tmp_path / "experiments" / "fusion" / "figure8-loss.csv")
    assert [point for point in points if point["curve"] == "RGB, training"] == [
        {"curve": "RGB, training", "epoch": f"{epoch}.0", "loss": f"{3 / epoch}"} for epoch in (1, 2, 3)
    ]
    assert (tmp_path / "experiments" / "fusion" / "figure8-loss.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_complete_is_not_done_again(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["fusion"])
    done = list(written.jobs)
    compare(a_study(tmp_path, config), ["fusion"])
    assert written.jobs == done


def test_several_seeds_give_an_interval(tmp_path, config, written):
    compare(a_study(tmp_path, config, quick=False), ["splits"])
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


def test_rates_of_ranks_are_those_of_their_samples(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["layouts"])
    rows = rows_of(tmp_path / "experiments" / "layouts" / "figure13.csv")
    third = next(row for row in rows if (row["layout"], row["rank"]) == ("baseline", "3"))
    assert third["CPU, cores: mean"] == third["median"] == "0.30"
    assert third["deviation"] == "0.00"
    assert third["waited %"] == "70"
    # 1000 bytes a second in and 2000 out times the rank's number, over 30 seconds and 30 steps
    assert float(third["MB out, a step"]) == pytest.approx(0.006)
    assert sum(row["layout"] == "optimized" for row in rows) == RANKS
    # all runs take 5 s an epoch, so none had less time than another
    speed = rows_of(tmp_path / "experiments" / "layouts" / "figure9.csv")
    assert {row["training accuracy % after 15.0 s"] for row in speed} == {"80.0"}
    assert read_record(tmp_path / "runs" / "layout-single").ranks == 1


def test_inference_and_batches(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["inference", "batches"])
    (first, *_) = rows_of(tmp_path / "experiments" / "inference" / "table4.csv")
    assert first["layout"] == "one process"
    named = [row["layout"] for row in rows_of(tmp_path / "experiments" / "inference" / "table5.csv")]
    assert named == ["one process", "data", "baseline", "optimized", "hybrid", "auto"]
    assert "2.50" in first.values()
    traffic = rows_of(tmp_path / "experiments" / "batches" / "figure10.csv")
    assert [int(row["batch"]) for row in traffic] == list(paper.BATCHES)
    settings = [read_record(tmp_path / "runs" / f"batch-{row['batch']}").settings for row in traffic]
    assert [each["training"]["batch"] for each in settings] == list(paper.BATCHES)


def test_rivals_are_scored_on_the_networks_own_patches(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["rivals"])
    rows = rows_of(tmp_path / "experiments" / "rivals" / "table3.csv")
    assert [row["method"] for row in rows] == [
        "KNN (k=5)",
        "RBF-SVM",
        "random forest",
        "RBF-SVM, centre pixel",
        "network",
    ]
    assert rows[-1]["validation %"] == "90.0"
    assert [row["paper, validation %"] for row in rows] == ["82.4", "74.1", "–", "–", "83.6"]


def test_rivals_over_several_seeds_have_an_interval(tmp_path, config, written):
    compare(a_study(tmp_path, config, quick=False), ["rivals"])
    rows = rows_of(tmp_path / "experiments" / "rivals" / "table3.csv")
    assert rows[-1]["validation %"] == "90.0 ± 0.0"
    assert all(" ± " in row["validation %"] for row in rows)


def test_the_report_of_a_comparison_holds_every_table(tmp_path, config, written):
    compare(a_study(tmp_path, config), ["fusion", "splits"])
    assert is_comparison(tmp_path)
    write_comparison_report(tmp_path / "report.html", tmp_path)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for outcome in read_outcomes(tmp_path):
        assert f'id="{outcome.name}"' in text
        for table in outcome.tables:
            assert all(f">{cell}<" in text for row in table.rows for cell in row)
    assert "http" not in text.split("<script")[0].replace("http-equiv", "")


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
