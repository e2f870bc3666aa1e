"""`mpmm plan --summary`: the table of the configured network."""

import json

import pytest
from click.testing import CliRunner
from small_runs import small_config

from mpmm.commands.plan import command


def test_summary_shows_the_configured_network(tmp_path):
    done = CliRunner().invoke(command, [str(small_config(tmp_path)), "--summary"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[2:-2]}
    assert rows["hsi.block1.convolution"][1:3] == ["7x3x3x4", "112"]
    assert "fusion.output.dense" in rows
    assert lines[-1].startswith("total")


def test_a_network_that_does_not_fit_is_one_line_naming_the_layer(tmp_path):
    config = small_config(tmp_path)
    config.write_text(
        config.read_text().replace("kernel = [3, 3, 3], window = [6", "kernel = [3, 3, 11], window = [6")
    )
    done = CliRunner().invoke(command, [str(config)])
    assert done.exception is not None
    assert "conv1 of stream hsi: 9 columns left, kernel needs 11" in str(done.exception)


def test_with_ranks_it_shows_what_each_owns_sends_and_does(tmp_path):
    config = str(small_config(tmp_path))
    done = CliRunner().invoke(command, [config, "-n", "5", "--layout", "optimized"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("layout optimized, 5 ranks, one step over ")
    roles = {line.split()[0]: line.split()[1] for line in lines[5:10]}
    assert roles == {"0": "server", "1": "worker", "2": "worker", "3": "worker", "4": "driver"}
    assert any(line.split()[:3] == ["2", "activation", "3"] for line in lines)
    assert [line for line in lines if line.startswith("rank ") and line.endswith(":")] == [
        "rank 0, server:",
        "rank 1, worker:",
        "rank 2, worker:",
        "rank 3, worker:",
        "rank 4, driver:",
    ]
    assert "forward hsi.block1" in lines
    one = CliRunner().invoke(command, [config, "-n", "5", "--layout", "optimized", "--rank", "2"]).output
    assert "rank 2, worker:" in one
    assert "rank 1, worker:" not in one


def test_the_configurations_own_assignment_and_counts_that_do_not_fit(tmp_path):
    config = small_config(tmp_path)
    refused = CliRunner().invoke(command, [str(config), "-n", "9", "--layout", "baseline"])
    assert "layout baseline of 2 streams cannot use 9 ranks" in str(refused.exception)
    config.write_text(f"{config.read_text()}\n[layout.ranks]\nhsi = 1\nrgb = 2\nfusion = 2\n")
    own = CliRunner().invoke(command, [str(config), "-n", "3"]).output
    assert own.startswith("layout custom, 3 ranks")
    assert "rgb.block1..fusion.output" in own


def test_without_a_layout_it_searches_for_one_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = str(small_config(tmp_path))
    done = CliRunner().invoke(command, [config, "-n", "20", "--link", "1kbit"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "layout auto, found by search:"
    assert lines[1].startswith("1 of 20 ranks: ")
    assert lines[2].startswith("hsi.block1..head on rank 0; ")
    left_out, threads = lines[3].split("; ")
    assert left_out == "ranks 1 to 19 would make it no faster and have nothing to do"
    assert threads.endswith(" on rank 0")
    assert "layers guessed from operations, 20 hosts as given" in lines[5]
    assert "19 other ranks have nothing to do" in lines
    alone = CliRunner().invoke(command, [config, "-n", "1"]).output
    assert alone.startswith("layout single, 1 ranks")


def test_measured_layers_are_kept_for_later(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = str(small_config(tmp_path))
    for option in (["--measure"], []):
        done = CliRunner().invoke(command, [config, "-n", "3", *option])
        assert done.exit_code == 0, done.output
        assert "layers measured, this machine" in done.output
        assert "costs of the layers as measured on this machine" in done.output
    assert len([*(tmp_path / "cache/mpmm/profiles").iterdir()]) == 1


def test_it_predicts_the_time_of_a_step_here_and_on_hosts(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config, timeline = str(small_config(tmp_path)), tmp_path / "trace.json"
    baseline = [config, "-n", "5", "--layout", "baseline", "--rank", "1"]
    here = CliRunner().invoke(command, baseline)
    assert here.exit_code == 0, here.output
    assert "threads as for one machine of " in here.output
    assert "costs of the layers guessed from operations" in here.output
    options = ["--link", "1mbit", "--delay", "1ms", "--cpu", "50%", "--timeline", str(timeline)]
    slow = CliRunner().invoke(command, [*baseline, *options])
    assert slow.exit_code == 0, slow.output
    assert "threads as for 5 machines of " in slow.output
    assert milliseconds(slow.output) > 10 * milliseconds(here.output), "the link holds it up"
    apart, shared = (
        CliRunner().invoke(command, [*baseline, "--delay", "0s", *virtual]).output
        for virtual in ([], ["--virtual"])
    )
    assert milliseconds(shared) > milliseconds(apart), "five hosts have the cores of one machine"
    row = next(
        line.split() for line in slow.output.splitlines() if line.startswith("1     worker") and "%" in line
    )
    assert sum(float(share.removesuffix("%")) for share in row[2:5]) == pytest.approx(100, abs=0.2)
    events = json.loads(timeline.read_text())["traceEvents"]
    assert {event["pid"] for event in events} == {0, 1, 2, 3, 4}
    assert any(event["name"].startswith("forward rgb.block1") for event in events)


def milliseconds(output):
    line = next(line for line in output.splitlines() if line.startswith("predicted: "))
    assert line.endswith(" patches a second")
    return float(line.split()[1].replace(",", ""))


def test_what_was_measured_once_is_used_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config = str(small_config(tmp_path))
    measured = CliRunner().invoke(command, [config, "-n", "1", "--measure"])
    assert measured.exit_code == 0, measured.output
    [kept] = (tmp_path / "cache" / "mpmm" / "profiles").iterdir()
    layers = json.loads(kept.read_text())["layers"]
    # of the whole batch, and of the parts that ranks may take of it
    assert {timing["samples"] for timing in layers["hsi.block1.convolution"]} == {1, 2, 4, 8, 16}
    assert all(
        timing["forward"] > 0 < timing["backward"] for timings in layers.values() for timing in timings
    )
    again = CliRunner().invoke(command, [config, "-n", "1"]).output
    assert "costs of the layers as measured on this machine" in again
    assert milliseconds(again) == milliseconds(measured.output)
    kept.write_text("{}")
    assert "guessed" in CliRunner().invoke(command, [config, "-n", "1"]).output


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--summary", "--link", "fast"], "link 'fast' is no number with one of the units"),
        (["--link", "fast"], "link 'fast' is no number with one of the units"),
        (["--delay", "-1ms"], "delay '-1ms' is no number with one of the units"),
        (["--hosts", "missing"], "hosts file missing cannot be read"),
        (["--cpu", "much"], "cpu 'much' is no number with one of the units"),
    ],
)
def test_hosts_and_links_that_are_none_are_one_line(tmp_path, options, problem):
    done = CliRunner().invoke(command, [str(small_config(tmp_path)), "-n", "4", *options])
    assert problem in str(done.exception)


def test_a_prediction_needs_a_number_of_ranks(tmp_path):
    done = CliRunner().invoke(command, [str(small_config(tmp_path)), "--link", "1gbit"])
    assert done.exit_code == 2
    assert "--link: for how many ranks? Add -n" in done.output
