"""`mpirun mpmm train`: the same bits as one process on any layout, the predicted traffic, local data only."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from mpi_runner import Ended, run_ranks
from small_runs import small_config

from mpmm.commands.api import fit
from mpmm.commands.config import load_config
from mpmm.commands.prepare import prepare
from mpmm.commands.run import Run
from mpmm.commands.single import loss_of
from mpmm.commands.training import go_on
from mpmm.messages import Kind
from mpmm.network import Adam, Network, Step, parameters_sha256
from mpmm.patches import Batches
from mpmm.placement import describe, layout_for, schedule, share_out, traffic
from mpmm.results.log import read_log

pytestmark = pytest.mark.mpi

LIMIT = 120
# what another case shows already in part
full = pytest.mark.skipif(not os.environ.get("MPMM_FULL"), reason="set MPMM_FULL=1 to run it")
# what the schedule does not know of: the meeting at the start, orders and records
BESIDE = (Kind.SETUP.label, Kind.MONITOR.label)


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    return small_config(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def alone(config, tmp_path_factory) -> Run:
    """The run of one process that all others are compared with: 2 epochs of 10 steps."""
    return fit(config, run=tmp_path_factory.mktemp("alone") / "run", progress=False)


def mpmm(ranks: int, *arguments: object, **extra: str) -> Ended:
    ended = run_ranks(ranks, ["-m", "mpmm", *map(str, arguments)], LIMIT, **extra)
    assert ended.code == 0, ended.err + ended.out
    return ended


def sha256(run: Run) -> str:
    return str(run.summary_["parameters_sha256"])


@pytest.fixture(scope="module")
def together(config, tmp_path_factory) -> tuple[Run, Ended]:
    """Five ranks, two threads where the layout gives them, with a timeline."""
    path = tmp_path_factory.mktemp("together") / "run"
    ended = mpmm(5, "train", config, "--run", path, "--trace", NUMBA_NUM_THREADS="2")
    return Run.open(path), ended


def test_five_ranks_end_with_the_bits_of_one_process(alone, together):
    run, ended = together
    assert sha256(run) == sha256(alone)
    assert f"parameters sha256 {sha256(alone)}" in ended.out.splitlines()
    for checkpoint in ("best", "last"):
        assert parameters_sha256(run.network(checkpoint)) == parameters_sha256(alone.network(checkpoint))


def test_the_log_is_that_of_one_process(alone, together):
    kinds, figures = zip(*([logged(run, "kind"), logged(run)] for run in (together[0], alone)), strict=True)
    assert kinds[0] == kinds[1] == [[*["step"] * 10, "epoch"][place % 11] for place in range(22)]
    for mine, other in zip(*figures, strict=True):
        assert mine == pytest.approx(other, rel=1e-12)
    assert together[0].scores_.to_dict() == alone.scores_.to_dict()


def logged(run: Run, only: str = "") -> list:
    """Each line's kind, or its numbers but for times."""
    if only:
        return [entry[only] for entry in read_log(run.folder)]
    others = {"kind", "seconds", "patches_per_second"}
    return [{k: v for k, v in entry.items() if k not in others} for entry in read_log(run.folder)]


def test_the_folder_is_that_of_one_process(alone, together):
    for name in ("split.csv", "normalization.json", "classes.json", "split.json"):
        assert (together[0].folder / name).read_bytes() == (alone.folder / name).read_bytes()


def test_traffic_is_what_the_plan_predicts_to_the_byte(config, together):
    run, _ = together
    shape = describe(run.prepared.spec)
    layout = layout_for(shape, 5, "baseline")
    for rank, cost in enumerate(run.summary_["per_rank"]):
        predicted: dict[tuple, list[int]] = {}
        for kind, batch, count in cost["played"]:
            for row in traffic(schedule(shape, layout, rank, kind, batch)).rows():
                sums = predicted.setdefault((row["direction"], row["kind"], row["peer"]), [0, 0])
                sums[0] += count * int(row["messages"])
                sums[1] += count * int(row["bytes"])
        counted = {
            (row["direction"], row["kind"], row["peer"]): [row["messages"], row["bytes"]]
            for row in cost["traffic"]
            if row["kind"] not in BESIDE
        }
        assert counted == predicted, f"rank {rank}"
        steps = {kind: count for kind, _, count in cost["played"]}
        assert steps.get("train", 20) == 20
    worker = run.summary_["per_rank"][2]["played"]
    assert ["train", 16, 20] in worker


def test_no_patch_crosses_ranks_and_the_meeting_is_small(together):
    setup = [
        row["bytes"]
        for cost in together[0].summary_["per_rank"]
        for row in cost["traffic"]
        if row["kind"] == Kind.SETUP.label and row["direction"] == "sent"
    ]
    assert sum(setup) < 500_000
    # 160 patches of 9 x 9 pixels and 48 bands of 4 bytes, in each of two epochs
    sent = [
        row
        for cost in together[0].summary_["per_rank"]
        for row in cost["traffic"]
        if row["kind"] == Kind.ACTIVATION.label and row["direction"] == "sent"
    ]
    assert 0 < sum(row["bytes"] for row in sent) < 160 * 9 * 9 * 48 * 4 / 10


def test_each_rank_is_watched_and_has_a_line(together):
    run, ended = together
    for rank in range(5):
        text = (run.folder / "monitor" / f"rank-{rank}.jsonl").read_text()
        samples = [json.loads(line) for line in text.splitlines()]
        assert [one["rank"] for one in samples] == [rank] * len(samples)
        assert samples[-1]["resident_bytes"] > 20e6
        assert samples[-1]["cpu_computing"] > 0
        assert samples[-1]["bytes_in"] > 0
        assert all(a["time"] < b["time"] for a, b in itertools.pairwise(samples))
        (line,) = [line for line in ended.out.splitlines() if line.startswith(f"rank {rank} ")]
        assert ("server", "rgb", "hsi", "fusion", "driver")[rank] in line


def test_the_timeline_shows_steps_messages_and_waits_of_all_ranks(together):
    trace = json.loads((together[0].folder / "trace.json").read_text())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    for rank in (0, 1, 2, 3):
        mine = [event for event in spans if event["pid"] == rank]
        assert {event["cat"] for event in mine} >= {"step", "message", "wait"}
        assert [event["name"] for event in mine if event["name"].startswith("step ")] == [
            f"step {number + 1}" for number in range(20)
        ]
    assert all(event["dur"] >= 0 and event["ts"] >= 0 for event in spans)


def test_any_layout_with_synchronous_sends_and_scoring_over_its_ranks(config, alone, tmp_path):
    chance = random.Random(4)
    prepared, _ = prepare(load_config(config))
    blocks = {block.name: chance.randrange(4) for block in describe(prepared.spec).blocks}
    blocks["hsi.block1"], blocks["rgb.head"], blocks["fusion.block1"] = 1, 2, 3
    table = "\n".join(f'"{name}" = {rank}' for name, rank in blocks.items())
    own = config.parent / "own.toml"
    own.write_text(config.read_text() + f"\n[layout.ranks]\n{table}\n")
    mpmm(4, "train", own, "--run", tmp_path / "run", MPMM_SYNCHRONOUS_SENDS="1")
    run = Run.open(tmp_path / "run")
    assert sha256(run) == sha256(alone), blocks
    assert run.summary_["layout"] == "custom"
    ended = mpmm(4, "evaluate", run.folder, "--part", "test", MPMM_SYNCHRONOUS_SENDS="1")
    assert "4 ranks, layout custom" in ended.out
    assert written_scores(run, "test-best") == alone.evaluate("test").to_dict()


def written_scores(run: Run, name: str) -> dict:
    return json.loads((run.folder / "evaluation" / name / "scores.json").read_text())


@pytest.mark.parametrize(("ranks", "form"), [pytest.param(5, "model", marks=full), (4, "data")])
def test_scoring_drawn_patches_over_ranks_is_that_of_one_process(alone, ranks, form, tmp_path):
    shutil.copytree(alone.folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    mpmm(ranks, "evaluate", run.folder, "--patches", 130, "--form", form)
    found = written_scores(run, "130-drawn-best")
    assert found == alone.evaluate(patches=130).to_dict()
    assert np.sum(found["confusion"]) == 130


def test_a_run_goes_on_over_other_ranks_and_in_one_process(config, alone, tmp_path):
    path = tmp_path / "run"
    mpmm(5, "train", config, "--run", path, "--steps", 7, "--layout", "optimized", MPMM_SYNCHRONOUS_SENDS="1")
    mpmm(4, "train", "--resume", path, "--steps", 13, "--layout", "baseline")
    assert Run.open(path).summary_["steps"] == 13
    run = go_on(path, epochs=2, layout="single").run
    assert sha256(run) == sha256(alone)
    assert len(read_log(path)) == 22


def test_patience_ends_the_run_where_one_process_would(config, tmp_path):
    patient = config.parent / "patient.toml"
    text = config.read_text().replace("epochs = 2", "epochs = 9\npatience = 1").replace("0.005", "0.00001")
    patient.write_text(text)
    alone = fit(patient, run=tmp_path / "alone", progress=False)
    mpmm(5, "train", patient, "--run", tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert sha256(run) == sha256(alone)
    assert run.summary_["ended"] == alone.summary_["ended"]
    assert "no better validation" in run.summary_["ended"]
    assert len(run.history_) == len(alone.history_) < 9


def test_data_is_one_process_with_the_same_averaged_gradients(config, tmp_path):
    double = config.parent / "double.toml"
    double.write_text(config.read_text().replace("[network]", '[network]\ndtype = "float64"', 1))
    mpmm(4, "train", double, "--run", tmp_path / "run", "--layout", "data", "--steps", 4)
    found = Run.open(tmp_path / "run").network_
    expected = averaged(double, steps=4, workers=3)
    for name, parameter in expected.parameters.items():
        np.testing.assert_allclose(found.parameters[name].value, parameter.value, rtol=0, atol=1e-10)


def averaged(path: Path, steps: int, workers: int) -> Network:
    """One network after so many steps, each by the mean of gradients found on the parts of a batch alone."""
    prepared, _ = prepare(load_config(path))
    training = prepared.config.training
    network, adam, loss = Network(prepared.spec), Adam(rate=training.rate), loss_of(prepared)
    read = prepared.reader("train", augment=True)
    batches = Batches(len(prepared.parts["train"]), training.batch, training.seed).epoch(0)
    for number, indices in enumerate(batches[:steps]):
        sums = {name: np.zeros_like(one.value) for name, one in network.parameters.items()}
        for share in share_out(len(indices), workers):
            part = read(indices[share.first : share.first + share.count], 0)
            logits = network.forward(part.inputs, Step(True, number, training.seed, share.first))
            network.backward(loss(logits, part.labels).dlogits)
            for name, one in network.parameters.items():
                sums[name] += one.gradient * (share.count / len(indices))
        for name, one in network.parameters.items():
            one.gradient[...] = sums[name]
            adam.update(one, number + 1)
    return network


PHASE = "2018IEEE_Contest/Phase2"
OWN = (
    (),
    ("Final RGB HR Imagery",),
    ("FullHSIDataset",),
    ("TrainingGT",),
    ("Final RGB HR Imagery", "FullHSIDataset", "TrainingGT"),
)


@pytest.mark.parametrize("ranks", [4, pytest.param(5, marks=full)])
def test_hosts_with_their_own_files_alone(config, alone, tmp_path, ranks):
    """Each rank works in a folder of its own, that has only the rasters it may open."""
    apart: list[str] = []
    for rank in range(ranks):
        host = tmp_path / f"host{rank}"
        (host / PHASE).mkdir(parents=True)
        shutil.copy(config, host)
        for folder in OWN[rank]:
            shutil.copytree(config.parent / PHASE / folder, host / PHASE / folder)
        if rank:
            apart += [":", "-np", "1", "--wdir", str(host), sys.executable]
            apart += ["-m", "mpmm", "train", config.name, "--run", "run"]
    first = [
        "-m",
        "mpmm",
        "train",
        str(tmp_path / "host0" / config.name),
        "--run",
        str(tmp_path / "host0/run"),
    ]
    ended = run_ranks(1, [*first, *apart], LIMIT)
    assert ended.code == 0, ended.err + ended.out
    assert f"parameters sha256 {sha256(alone)}" in ended.out.splitlines()
    keeper = tmp_path / ("host0" if ranks == 4 else "host4")
    assert sha256(Run.open(keeper / "run")) == sha256(alone)
    assert not list(tmp_path.glob("host[123]/run"))
    for rank, names in ((0, set()), (1, {"rgb"}), (2, {"hsi"}), (3, {"labels"})):
        cached = tmp_path.glob(f"host{rank}/*/.mpmm_cache/*/*.npy")
        assert {path.parent.name.split("-")[0] for path in cached} == names


def test_a_driver_without_the_rasters_is_refused_with_the_way_out(config, tmp_path):
    host = tmp_path / "bare"
    host.mkdir()
    shutil.copy(config, host)
    train = ["-m", "mpmm", "train"]
    bare = [":", "-np", "1", "--wdir", str(host), sys.executable, *train, config.name]
    four = ["-np", "3", sys.executable, *train, str(config)]
    ended = run_ranks(1, [*train, str(config), ":", *four, *bare], LIMIT)
    assert ended.code == 1
    assert ended.err.count("error:") == 1
    assert "rank 4 (driver) has no files of" in ended.err
    assert "without a driver" in ended.err


@pytest.mark.parametrize(
    ("ranks", "layout", "counts"), [(3, "baseline", ("4 (", "5 (")), (2, "single", ("only 1",))]
)
def test_ranks_that_a_layout_cannot_use_are_refused(config, tmp_path, ranks, layout, counts):
    command = ["-m", "mpmm", "train", str(config), "--run", str(tmp_path / "run"), "--layout", layout]
    ended = run_ranks(ranks, command, LIMIT)
    assert ended.code == 1
    assert ended.err.count("error:") == 1, ended.err
    assert f"layout {layout}" in ended.err
    assert all(count in ended.err for count in counts), ended.err
    assert not (tmp_path / "run").exists()
