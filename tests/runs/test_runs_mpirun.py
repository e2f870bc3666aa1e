"""`mpirun mpmm train`: the same bits and scores as one process, on any layout."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from mpi_runner import SYNCHRONOUS, Job, run_in_turn

from mpmm.network import Adam, Network, Step, parameters_sha256
from mpmm.patches import Batches
from mpmm.placement import describe, share_out
from mpmm.preparation import prepare
from mpmm.results import RunFolder
from mpmm.results.log import read_log
from mpmm.runs import Run, fit, go_on
from mpmm.runs.rank_run import loss_of
from mpmm.settings.config import load_config

pytestmark = pytest.mark.mpi


# so high, without dropout and on few patches, that the validation loss goes up too
WAITING = 'rate = 0.1\nschedule = "plateau"\nevery = 1\nfactor = 0.5'


def sha256(run: Run) -> str:
    return str(run.summary_["parameters_sha256"])


@pytest.fixture(scope="module")
def four_ranks(config, patient, five_ranks, tmp_path_factory) -> Path:
    """Runs of four ranks on an own layout and with patience; and more steps of one that five ranks began."""
    folder = tmp_path_factory.mktemp("four")
    own = config.parent / "own.toml"
    own.write_text(config.read_text() + own_layout(config))
    printed = run_in_turn(
        4,
        Job(("train", own, "--run", folder / "own"), SYNCHRONOUS),
        Job(("evaluate", folder / "own", "--part", "test"), SYNCHRONOUS),
        Job(("train", patient, "--run", folder / "patient", "--layout", "baseline", "--update", "owner")),
        Job(("train", "--resume", five_ranks[0] / "paused", "--steps", 13, "--layout", "baseline")),
    )
    assert "4 ranks, layout custom" in printed[1]
    return folder


def own_layout(config: Path) -> str:
    """Blocks go to four ranks by chance, each of which has some."""
    chance = random.Random(4)
    prepared, _ = prepare(load_config(config))
    blocks = {block.name: chance.randrange(4) for block in describe(prepared.spec).blocks}
    blocks["hsi.block1"], blocks["rgb.head"], blocks["fusion.block1"] = 1, 2, 3
    return "\n[layout.ranks]\n" + "".join(f'"{name}" = {rank}\n' for name, rank in blocks.items())


@pytest.fixture(scope="module")
def patient(config) -> Path:
    path = config.parent / "patient.toml"
    text = config.read_text().replace("rate = 0.005", WAITING).replace("dropout = 0.3", "dropout = 0.0")
    text = text.replace("per_class = 12", "per_class = 6")
    path.write_text(text.replace("epochs = 2", "epochs = 9\npatience = 2"))
    return path


@pytest.fixture(scope="module")
def three_ranks(alone, double, tmp_path_factory) -> Path:
    """A copy of the run of one process, of which they have scored drawn patches, and a run of their own."""
    folder = tmp_path_factory.mktemp("three")
    shutil.copytree(alone.folder, folder / "scored")
    run_in_turn(
        3,
        Job(("evaluate", folder / "scored", "--patches", 130, "--form", "data")),
        Job(("train", double, "--run", folder / "data", "--layout", "data", "--steps", 4)),
    )
    return folder


@pytest.fixture(scope="module")
def double(config) -> Path:
    path = config.parent / "double.toml"
    path.write_text(config.read_text().replace("[network]", '[network]\ndtype = "float64"', 1))
    return path


def test_five_ranks_end_with_the_bits_of_one_process(alone, together, five_ranks):
    run, (_, printed) = together, five_ranks
    assert sha256(run) == sha256(alone)
    assert f"parameters sha256 {sha256(alone)}" in printed.splitlines()
    for checkpoint in ("best", "last"):
        assert parameters_sha256(run.network(checkpoint)) == parameters_sha256(alone.network(checkpoint))


def test_the_log_is_that_of_one_process(alone, together):
    kinds, figures = zip(*([logged(run, "kind"), logged(run)] for run in (together, alone)), strict=True)
    assert kinds[0] == kinds[1] == [[*["step"] * 10, "epoch"][place % 11] for place in range(22)]
    for mine, other in zip(*figures, strict=True):
        assert mine == pytest.approx(other, rel=1e-12)
    assert together.scores_.to_dict() == alone.scores_.to_dict()


def logged(run: Run, only: str = "") -> list:
    """Each line's kind, or its numbers but for times."""
    if only:
        return [entry[only] for entry in read_log(run.folder)]
    others = {"kind", "seconds", "patches_per_second"}
    return [{k: v for k, v in entry.items() if k not in others} for entry in read_log(run.folder)]


def test_the_folder_is_that_of_one_process(alone, together):
    for name in ("split.csv", "normalization.json", "classes.json", "split.json"):
        assert (together.folder / name).read_bytes() == (alone.folder / name).read_bytes()


def test_any_layout_with_synchronous_sends_and_scoring_over_its_ranks(alone, four_ranks):
    run = Run.open(four_ranks / "own")
    assert sha256(run) == sha256(alone)
    assert run.summary_["layout"] == "custom"
    assert written_scores(run, "test-best") == alone.evaluate("test").to_dict()


def written_scores(run: Run, name: str) -> dict:
    scores = json.loads((run.folder / "evaluation" / name / "scores.json").read_text())
    assert 0 <= scores.pop("overlap_with_training") <= 1
    return scores


def test_scoring_drawn_patches_by_shares_is_that_of_one_process(alone, three_ranks):
    found = written_scores(Run.open(three_ranks / "scored"), "130-drawn-best")
    assert found == alone.evaluate(patches=130).to_dict()
    assert np.sum(found["confusion"]) == 130


def test_a_run_goes_on_over_other_ranks_and_in_one_process(alone, five_ranks, four_ranks):
    path = five_ranks[0] / "paused"
    assert Run.open(path).summary_["steps"] == 13
    run = go_on(path, epochs=2, layout="single").run
    assert sha256(run) == sha256(alone)
    assert len(read_log(path)) == 22


def test_patience_ends_the_run_and_lowers_its_rate_where_one_process_would(patient, four_ranks, tmp_path):
    alone = fit(patient, run=tmp_path / "alone", progress=False)
    run = Run.open(four_ranks / "patient")
    assert sha256(run) == sha256(alone)
    assert run.summary_["ended"] == alone.summary_["ended"]
    assert "no better validation" in run.summary_["ended"]
    assert len(run.history_) == len(alone.history_) < 9
    assert [epoch["rate"] for epoch in run.history_] == [epoch["rate"] for epoch in alone.history_]
    counters = [
        RunFolder.open(each.folder).read_checkpoint("last").state["counters"] for each in (run, alone)
    ]
    assert counters[0] == counters[1]
    assert counters[0]["drops"] > 0


def test_data_is_one_process_with_the_same_averaged_gradients(double, three_ranks):
    found = Run.open(three_ranks / "data").network_
    expected = averaged(double, steps=4, workers=2)
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
