"""A run as its folder tells it: finished, going on, damaged, foreign."""

import json
from dataclasses import replace

import pytest
from report_runs import STEPS, begun_run, whole_run

from mpmm.errors import MpmmError, RunError
from mpmm.placement import Choice, describe, layout_for
from mpmm.records import owned_network, read_record, run_config, traffic_rows


@pytest.fixture(scope="module")
def run(tmp_path_factory, config):
    return whole_run(tmp_path_factory.mktemp("recorded") / "run", config)


def test_a_finished_run_is_read_whole(run):
    record = read_record(run)
    assert record.status == "finished"
    assert (len(record.steps), len(record.epochs), record.ranks) == (30, 3, 5)
    assert record.bands == {"hsi": 48, "rgb": 3}
    assert record.evaluations["test-best"].samples == 40
    assert set(record.baselines["test"]) == {"KNN"}
    assert record.notes == ()


def test_the_network_and_its_owners_follow_from_the_folder_alone(run):
    network = owned_network(read_record(run))
    assert network.layout.name == "baseline"
    assert network.layout.role(4) == "driver"
    crossing = {each.source: each for each in network.crossings if each.activations}
    assert set(crossing) == {"hsi.head", "rgb.head"}
    # 16 units of the head, 16 patches, 4 bytes
    assert crossing["hsi.head"].activations == 16 * 16 * 4


def test_a_layout_that_was_searched_for_is_the_one_that_was_chosen(tmp_path, config):
    begun_run(tmp_path / "run", config)
    with pytest.raises(RunError, match="was searched for"):
        owned_network(read_record(tmp_path / "run"))
    prepared = read_record(tmp_path / "run")
    shape = describe(run_config(prepared).network.spec(prepared.bands, len(prepared.classes), 9, 0))
    chosen = Choice(replace(layout_for(shape, 5, "optimized"), name="auto"), 0.5, ("it is the fastest",))
    plain = {"layout": "auto", "ranks": 5, "chosen": chosen.to_plain(), "roles": ["server", "worker rgb"]}
    begun = tmp_path / "run" / "layout.json"
    begun.write_text(json.dumps(plain))
    record = read_record(tmp_path / "run")
    assert (record.status, record.roles[1]) == ("going on or killed", "worker rgb")
    assert owned_network(record).layout == chosen.layout
    begun.unlink()
    # a run of an older version tells at its end
    (tmp_path / "run" / "run.json").write_text(json.dumps({**plain, "finished": True, "steps": STEPS}))
    assert owned_network(read_record(tmp_path / "run")).layout == chosen.layout


def test_traffic_is_as_the_channels_counted_it(run):
    rows = traffic_rows(read_record(run))
    sent = {flow["kind"] for flow in rows[1] if flow["direction"] == "sent"}
    assert "parameter push" in sent
    assert len(rows) == 5


def test_a_summary_older_than_the_log_is_that_of_an_interruption(run, tmp_path, config):
    begun_run(tmp_path / "run", config, epochs=2)
    summary = {"finished": False, "ended": "interrupted by Ctrl-C or SIGINT", "steps": STEPS, "ranks": 5}
    (tmp_path / "run" / "run.json").write_text(json.dumps(summary))
    assert read_record(tmp_path / "run").status == "going on or killed"
    summary["steps"] = 2 * STEPS
    (tmp_path / "run" / "run.json").write_text(json.dumps(summary))
    assert read_record(tmp_path / "run").status == "interrupted"


def test_damaged_parts_are_notes(run, tmp_path, config):
    path = whole_run(tmp_path / "run", config)
    (path / "metrics.jsonl").write_text('{"kind": "step"}\n')
    (path / "baselines.json").write_text('{"test": {"KNN": {"classes": []}}}')
    (path / "split.json").write_text("[]")
    record = read_record(path)
    assert not record.steps
    assert not record.epochs
    assert record.split is None
    assert [note.split()[0] for note in record.notes] == ["metrics.jsonl", "split.json", "baselines.json"]


def test_no_run_folder_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"no config\.json"):
        read_record(tmp_path)


def test_a_network_that_the_folder_does_not_tell_is_an_error(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(MpmmError, match=r"classes\.json"):
        owned_network(read_record(tmp_path))
