"""`mpirun mpmm train` on shards of a batch: the bits, the log and the traffic that are promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from counted_traffic import check_traffic
from mpi_runner import run_mpmm
from small_runs import small_config

from mpmm.placement import Layout, LayoutOptions, describe, layout_for
from mpmm.results.log import read_log
from mpmm.runs import Run, fit, go_on

pytestmark = pytest.mark.mpi

# 143 patches, from 1 to 27 of a class: the ninth batch of an epoch has 7, less than a sample for each group
BATCH, FRACTION = 17, 0.01
WEIGHTED = """\
schedule = "cosine"
warm_up = 3
focus = 1.5
class_weights = "balanced"
"""
DRAWN = """\
schedule = "step"
every = 1
factor = 0.3
clip_norm = 0.8
oversample = "balanced"
"""
UNEVEN = """
[layout.ranks]
hsi = [0, 1, 2]
"hsi.head" = 0
rgb = 2
fusion = [0, 2]

[layout.shares]
hsi = [1, 4, 3]
fusion = [6, 2]
"""


def configured(folder: Path, training: str, patches: str = "") -> Path:
    config = small_config(folder, training, patches)
    text = config.read_text().replace("batch = 16", f"batch = {BATCH}")
    config.write_text(text.replace("per_class = 12", f"fraction = {FRACTION}"))
    return config


@pytest.fixture(scope="module")
def short_batch(tmp_path_factory):
    return configured(tmp_path_factory.mktemp("shards"), WEIGHTED)


@pytest.fixture(scope="module")
def one_process(short_batch, tmp_path_factory):
    return fit(short_batch, run=tmp_path_factory.mktemp("alone") / "run", progress=False)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return configured(tmp_path_factory.mktemp("drawn"), DRAWN, "components = { hsi = 20 }")


@pytest.fixture(scope="module")
def drawn_alone(drawn, tmp_path_factory):
    return fit(drawn, run=tmp_path_factory.mktemp("alone") / "run", progress=False)


def losses(run: Run) -> list[float]:
    return [entry["loss"] for entry in read_log(run.folder) if entry["kind"] == "step"]


def check(run: Run, one_process: Run) -> None:
    assert run.summary_["parameters_sha256"] == one_process.summary_["parameters_sha256"]
    assert losses(run) == losses(one_process)
    assert run.scores_.to_dict() == one_process.scores_.to_dict()


@pytest.mark.parametrize(
    ("layout", "ranks", "update", "threads"),
    [
        ("sharded", 5, "server", 1),
        ("hybrid", 4, "server", 1),
        ("baseline", 4, "owner", 2),
    ],
)
def test_shards_end_with_the_bits_of_one_process(
    layout, ranks, update, threads, short_batch, one_process, tmp_path
):
    layout = layout_for(describe(one_process.prepared.spec), ranks, layout, options=LayoutOptions(update))
    train_and_check(short_batch, layout, threads, one_process, tmp_path / "run")


@pytest.mark.parametrize(
    ("layout", "ranks", "update", "threads"), [("sharded", 2, "server", 2), ("sharded", 3, "owner", 1)]
)
def test_gradients_of_drawn_patches_are_clipped_alike(
    layout, ranks, update, threads, drawn, drawn_alone, one_process, tmp_path
):
    assert losses(drawn_alone) != losses(one_process)
    options = LayoutOptions(update, clips=True)
    layout = layout_for(describe(drawn_alone.prepared.spec), ranks, layout, options=options)
    train_and_check(drawn, layout, threads, drawn_alone, tmp_path / "run")


def train_and_check(config: Path, layout: Layout, threads: int, alone: Run, path: Path) -> None:
    """Ranks of one thread wait in each send until it is received."""
    options = "--run", path, "--layout", layout.name, "--update", layout.options.update
    settings = {"MPMM_SYNCHRONOUS_SENDS": "1"} if threads == 1 else {"NUMBA_NUM_THREADS": str(threads)}
    run_mpmm(layout.ranks, "train", config, *options, **settings)
    run = Run.open(path)
    check(run, alone)
    assert run.summary_["update"] == layout.options.update
    check_traffic(run, layout)


def test_owners_go_on_from_a_checkpoint_with_their_own_moments(drawn, drawn_alone, tmp_path):
    """Stopped within an epoch where owners update, and on with other owners to the bits of one process."""
    path, owner = tmp_path / "run", ["--update", "owner"]
    run_mpmm(4, "train", drawn, "--run", path, "--layout", "hybrid", "--steps", 5, *owner)
    ended = run_mpmm(3, "train", "--resume", path, "--layout", "sharded", "--epochs", 2, *owner)
    assert "going on after step 5" in ended.out
    check(Run.open(path), drawn_alone)


def test_a_narrow_wire_trains_and_is_counted_as_it_travels(short_batch, one_process, tmp_path):
    narrow = short_batch.parent / "narrow.toml"
    narrow.write_text(short_batch.read_text() + '\n[layout]\nwire = "bfloat16"\n')
    options = "--layout", "baseline", "--update", "owner", "--steps", 6
    run_mpmm(4, "train", narrow, "--run", tmp_path / "run", *options, MPMM_SYNCHRONOUS_SENDS="1")
    run = Run.open(tmp_path / "run")
    assert run.summary_["wire"] == "bfloat16"
    wire = LayoutOptions("owner", "bfloat16")
    check_traffic(run, layout_for(describe(run.prepared.spec), 4, "baseline", options=wire))
    rounded, exact = losses(run), losses(one_process)[:6]
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_micro_batches_go_on_in_other_numbers_to_the_bits_of_one_process(short_batch, one_process, tmp_path):
    """Within an epoch from four on three ranks to eight in one process; the last batch has seven patches."""
    parts, path = short_batch.parent / "parts.toml", tmp_path / "run"
    own = "[layout]\nmicro_batches = 4\n[layout.ranks]\nhsi = 1\nrgb = 2\nfusion = 0\n"
    parts.write_text(f"{short_batch.read_text()}\n{own}")
    run_mpmm(3, "train", parts, "--run", path, "--steps", 5, MPMM_SYNCHRONOUS_SENDS="1")
    run = Run.open(path)
    assert run.summary_["micro_batches"] == 4
    ranks, options = {"hsi": 1, "rgb": 2, "fusion": 0}, LayoutOptions(micro_batches=4)
    check_traffic(run, layout_for(describe(run.prepared.spec), 3, blocks=ranks, options=options))
    check(go_on(path, layout="single", micro_batches=8, epochs=2).run, one_process)


def test_shards_normalised_alone_have_the_bits_of_their_shares(short_batch, one_process, tmp_path):
    """Whoever updates, on any number of threads, but not those of one process; without sums of the batch."""
    alone = short_batch.parent / "alone.toml"
    alone.write_text(short_batch.read_text() + '\n[layout]\nname = "sharded"\nbatch_norm = "per_shard"\n')
    runs = []
    for update, threads in (("server", "1"), ("owner", "2")):
        options = "--run", tmp_path / update, "--update", update, "--steps", 8
        ended = run_mpmm(2, "train", alone, *options, MPMM_SYNCHRONOUS_SENDS="1", NUMBA_NUM_THREADS=threads)
        assert "other mathematics than one process: batch normalisation over each shard" in ended.out
        runs.append(Run.open(tmp_path / update))
        scope = LayoutOptions(update, batch_norm="per_shard")
        check_traffic(runs[-1], layout_for(describe(runs[-1].prepared.spec), 2, "sharded", options=scope))
    assert runs[0].summary_["parameters_sha256"] == runs[1].summary_["parameters_sha256"]
    assert runs[0].summary_["batch_norm"] == "per_shard"
    # whoever scores it has no shards
    assert runs[0].evaluate("test").samples == one_process.evaluate("test").samples
    assert losses(runs[0]) == losses(runs[1])
    assert losses(runs[0])[1:] != losses(one_process)[1:8]
    assert losses(runs[0])[0] == pytest.approx(losses(one_process)[0], rel=0.1)


def test_uneven_shards_of_an_own_assignment(short_batch, one_process, tmp_path):
    own = short_batch.parent / "uneven.toml"
    own.write_text(short_batch.read_text() + UNEVEN)
    run_mpmm(3, "train", own, "--run", tmp_path / "run", MPMM_SYNCHRONOUS_SENDS="1")
    run = Run.open(tmp_path / "run")
    check(run, one_process)
    ended = run_mpmm(3, "evaluate", run.folder, "--part", "test")
    assert "3 ranks, layout custom" in ended.out
    scores = json.loads((run.folder / "evaluation" / "test-best" / "scores.json").read_text())
    assert {**scores, **one_process.evaluate("test").to_dict()} == scores
