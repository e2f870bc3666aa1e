"""Signals, samples and timelines of a rank."""

import json
import os
import signal
import time

import pytest

from mpmm.messages import Kind, Stopped, Traffic
from mpmm.ranks.monitor import MeasuringWaiter, Monitor
from mpmm.ranks.shutdown import ShutdownRequest
from mpmm.ranks.timeline import Timeline, trace_events


@pytest.fixture
def shutdown():
    one = ShutdownRequest(grace=0.05)
    one.saved = 0

    def save() -> None:
        one.saved += 1

    one.save = save
    with one.installed():
        yield one


def test_the_first_sign_saves_once_and_the_run_goes_on(shutdown):
    shutdown.check()
    os.kill(os.getpid(), signal.SIGCONT)
    shutdown.check()
    shutdown.check()
    assert shutdown.saved == 1
    assert not shutdown.asked


def test_a_signal_saves_at_once_and_ends_waits_after_the_grace(shutdown):
    os.kill(os.getpid(), signal.SIGTERM)
    shutdown.check("a message")
    assert (shutdown.saved, shutdown.reason) == (1, "SIGTERM")
    waiter = MeasuringWaiter(shutdown)
    began = time.monotonic()
    with pytest.raises(Stopped, match="stopped by SIGTERM while waiting for a message"):
        waiter.until(lambda: False, "a message")
    assert 0.04 < time.monotonic() - began < 1
    assert shutdown.saved == 1


def test_signals_are_as_before_afterwards():
    before = signal.getsignal(signal.SIGCONT), signal.getsignal(signal.SIGTERM)
    with ShutdownRequest().installed():
        assert signal.getsignal(signal.SIGCONT) != before[0]
    assert (signal.getsignal(signal.SIGCONT), signal.getsignal(signal.SIGTERM)) == before


def test_samples_sum_up_waiting_and_bytes(tmp_path):
    waiter, traffic = MeasuringWaiter(), Traffic()
    monitor = Monitor(3, waiter, traffic)
    monitor.tick()
    monitor.write_to(tmp_path / "monitor" / "rank-3.jsonl")
    end = time.monotonic() + 0.1
    waiter.until(lambda: time.monotonic() > end, "time")
    traffic.count("sent", Kind.PUSH, 0, 100)
    traffic.count("received", Kind.PULL, 0, 7)
    monitor.tick()
    last = monitor.sample()
    assert (last["rank"], last["bytes_out"], last["bytes_in"]) == (3, 100, 7)
    assert 0.09 < last["waiting"] < 1
    assert 0 <= last["cpu_waiting"] < last["waiting"]
    assert last["resident_bytes"] > 1e6
    lines = (tmp_path / "monitor" / "rank-3.jsonl").read_text().splitlines()
    # the one before there was a file, and the one that was asked for: a second has not passed
    assert [json.loads(line) for line in lines] == monitor.samples
    assert len(lines) == 2


def test_a_timeline_is_what_trace_viewers_read():
    timeline = Timeline(1)
    with timeline.watch("Step", "step 1"), timeline.watch("Send", "send push"):
        timeline.waited("a message", time.time(), time.time() + 0.25, 0.0625)
    trace = trace_events(
        {0: [("step", "first", 10.0, 10.5, 0.25)], 1: timeline.plain()}, {0: "server", 1: "worker"}
    )
    names = [event for event in trace["traceEvents"] if event["ph"] == "M"]
    assert [event["args"]["name"] for event in names] == ["rank 0 server", "rank 1 worker"]
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert spans[0] == {
        "ph": "X", "name": "first", "cat": "step", "pid": 0, "tid": 0, "ts": 0.0, "dur": 500000.0,
        "tdur": 250000.0,
    }  # fmt: skip
    assert [event["cat"] for event in spans[1:]] == ["wait", "message", "step"]
    assert spans[1]["name"] == "wait for a message"
    assert spans[1]["dur"] == pytest.approx(250000, rel=1e-3)
    assert spans[1]["tdur"] == 62500.0
    assert spans[2]["tdur"] <= spans[3]["tdur"], "CPU time of what lies within a span is its own too"
