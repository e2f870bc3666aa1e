"""What runs over ranks count and keep of themselves: traffic, samples, timelines."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter

import pytest
from counted_traffic import BESIDE, check_traffic

from mpmm.messages import Kind
from mpmm.placement import describe, layout_for

pytestmark = pytest.mark.mpi


def test_traffic_is_what_the_plan_predicts_to_the_byte(config, together):
    run = together
    check_traffic(run, layout_for(describe(run.prepared.spec), 5, "baseline"))
    for cost in run.summary_["per_rank"]:
        steps = {kind: count for kind, _, count in cost["played"]}
        assert steps.get("train", 20) == 20
    worker = run.summary_["per_rank"][2]["played"]
    assert ["train", 16, 20] in worker


def test_no_patch_crosses_ranks_and_the_meeting_is_small(together):
    setup = [
        row["bytes"]
        for cost in together.summary_["per_rank"]
        for row in cost["traffic"]
        if row["kind"] == Kind.SETUP.label and row["direction"] == "sent"
    ]
    assert sum(setup) < 500_000
    # 160 patches of 9 x 9 pixels and 48 bands of 4 bytes, in each of two epochs
    sent = [
        row
        for cost in together.summary_["per_rank"]
        for row in cost["traffic"]
        if row["kind"] == Kind.ACTIVATION.label and row["direction"] == "sent"
    ]
    assert 0 < sum(row["bytes"] for row in sent) < 160 * 9 * 9 * 48 * 4 / 10


def test_each_rank_is_watched_and_has_a_line(together, five_ranks):
    run, (_, printed) = together, five_ranks
    for rank in range(5):
        text = (run.folder / "monitor" / f"rank-{rank}.jsonl").read_text()
        samples = [json.loads(line) for line in text.splitlines()]
        assert [one["rank"] for one in samples] == [rank] * len(samples)
        assert samples[-1]["resident_bytes"] > 20e6
        assert samples[-1]["cpu_computing"] > 0
        assert samples[-1]["bytes_in"] > 0
        assert all(a["time"] < b["time"] for a, b in itertools.pairwise(samples))
        (line,) = [line for line in printed.splitlines() if line.startswith(f"rank {rank} ")]
        assert ("server", "rgb", "hsi", "fusion", "driver")[rank] in line


def spans_of(trace: dict) -> dict[int, list[dict]]:
    """By rank, in order, each before those within it; every event has what trace viewers need."""
    events = trace["traceEvents"]
    assert all({"ph", "name", "pid", "tid", "ts"} <= set(event) for event in events)
    spans = [event for event in events if event["ph"] == "X"]
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in spans)
    spans.sort(key=lambda event: (event["pid"], event["ts"], -event["dur"]))
    return {rank: list(found) for rank, found in itertools.groupby(spans, key=lambda event: event["pid"])}


def end_of(span: dict) -> float:
    return span["ts"] + span["dur"]


def assert_nested(spans: list[dict]) -> None:
    """One span lies within another or beside it; times are rounded to a tenth of a microsecond."""
    around: list[dict] = []
    for span in spans:
        while around and end_of(around[-1]) <= span["ts"] + 0.1:
            around.pop()
        assert not around or end_of(span) <= end_of(around[-1]) + 0.3, (around[-1], span)
        around.append(span)


def messages(spans: list[dict]) -> Counter:
    """How many of each direction, kind and peer a rank's timeline shows."""
    found: Counter = Counter()
    labels = sorted((kind.label for kind in Kind), key=len, reverse=True)
    for span in spans:
        named = re.fullmatch(r"(send|receive) (.+), [\d,]+ B (?:to|from) rank (\d+)", span["name"])
        if named:
            assert span["cat"] == "message"
            kind = next(label for label in labels if named[2].startswith(label))
            found[{"send": "sent", "receive": "received"}[named[1]], kind, int(named[3])] += 1
    return found


def test_the_timeline_shows_every_step_message_and_wait_of_all_ranks(together):
    spans = spans_of(json.loads((together.folder / "trace.json").read_text()))
    for rank, cost in enumerate(together.summary_["per_rank"]):
        assert_nested(spans[rank])
        steps = [span["name"] for span in spans[rank] if span["name"].startswith("step ")]
        assert steps == [f"step {number + 1}" for number in range(20 if rank < 4 else 0)]
        counted = {
            (row["direction"], row["kind"], row["peer"]): row["messages"]
            for row in cost["traffic"]
            if row["kind"] not in BESIDE
        }
        assert messages(spans[rank]) == counted
        waits = sum(span["dur"] for span in spans[rank] if span["name"].startswith("wait for"))
        assert waits / 1e6 == pytest.approx(cost["last"]["waiting"], abs=0.001)


def test_streams_go_on_while_the_fusion_scores(alone, together):
    """Micro-batch k + 1 has begun before the fusion is done with k: scoring is pipelined."""
    written = together.folder / "evaluation" / "130-drawn-best"
    scores = json.loads((written / "scores.json").read_text())
    assert {**scores, **alone.evaluate(patches=130).to_dict()} == scores
    spans = spans_of(json.loads((written / "trace.json").read_text()))

    def every(rank: int, block: str) -> list[dict]:
        return [span for span in spans[rank] if span["name"] == f"infer {block}"]

    done = [end_of(span) for span in every(3, "fusion.output")]
    assert len(done) == -(-130 // 16)
    for rank, stream in ((1, "rgb"), (2, "hsi")):
        begun = [span["ts"] for span in every(rank, f"{stream}.block1")]
        ahead = [begun[k + 1] < done[k] for k in range(len(done) - 1)]
        # all of them, unless the machine holds a stream's rank up; none, if streams waited for the fusion
        assert sum(ahead) > len(ahead) / 2, (begun, done)
