"""`mpirun mpmm train` on shards of a batch: the bits, the log and the traffic that are promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from counted_traffic import check_traffic
from mpi_runner import SYNCHRONOUS, Job, run_in_turn
from small_runs import small_config

from mpmm.placement import LayoutOptions, describe, layout_for
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
# more of the configurations' last table, and tables within it
NARROW = 'wire = "bfloat16"\n'
BY_SHARD = 'name = "sharded"\nbatch_norm = "per_shard"\n'
PARTS = """\
micro_batches = 4

[layout.ranks]
hsi = 1
rgb = 2
fusion = 0
"""
UNEVEN = """
[layout.ranks]
hsi = [0, 1, 2]
"hsi.head" = 0
rgb = 2
fusion = [0, 2]

[layout.shares]
hsi = [2, 9, 5]
fusion = [12, 4]
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


def with_layout(config: Path, name: str, table: str) -> Path:
    """The same configuration with a layout of its own, beside it."""
    path = config.parent / f"{name}.toml"
    path.write_text(config.read_text() + table)
    return path


def training(config: Path, run: Path, *more: object, threads: int = 1) -> Job:
    """Ranks of one thread wait in each send until it is received."""
    words = "train", config, "--run", run, "--threads", threads, *more
    return Job(words, SYNCHRONOUS if threads == 1 else {})


@pytest.fixture(scope="module")
def over_two(short_batch, drawn, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    alone = with_layout(short_batch, "alone", BY_SHARD)
    printed = run_in_turn(
        2,
        training(drawn, folder / "sharded", "--layout", "sharded", threads=2),
        training(alone, folder / "by-shard-server", "--update", "server", "--steps", 8),
        training(alone, folder / "by-shard-owner", "--update", "owner", "--steps", 8, threads=2),
        NUMBA_NUM_THREADS="2",
    )
    for text in printed[1:]:
        assert "other mathematics than one process: batch normalisation over each shard" in text
    return folder


@pytest.fixture(scope="module")
def over_three(short_batch, drawn, over_four, tmp_path_factory) -> Path:
    """One run begins on four ranks; one is scored on the same three."""
    folder = tmp_path_factory.mktemp("three")
    parts, uneven = with_layout(short_batch, "parts", PARTS), with_layout(short_batch, "uneven", UNEVEN)
    resume = "train", "--resume", over_four / "paused", "--layout", "sharded", "--update", "owner"
    printed = run_in_turn(
        3,
        training(drawn, folder / "sharded", "--layout", "sharded", "--update", "owner"),
        training(parts, folder / "parts", "--steps", 5),
        training(uneven, folder / "uneven"),
        Job(("evaluate", folder / "uneven", "--part", "test")),
        Job((*resume, "--epochs", 2)),
    )
    assert "3 ranks, layout custom" in printed[3]
    assert "going on after step 5" in printed[4]
    return folder


@pytest.fixture(scope="module")
def over_four(short_batch, drawn, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("four")
    owner = "--update", "owner"
    narrow = with_layout(short_batch, "narrow", NARROW)
    run_in_turn(
        4,
        training(short_batch, folder / "hybrid", "--layout", "hybrid"),
        training(short_batch, folder / "baseline", "--layout", "baseline", *owner, threads=2),
        training(narrow, folder / "narrow", "--layout", "baseline", *owner, "--steps", 6),
        training(drawn, folder / "paused", "--layout", "hybrid", *owner, "--steps", 5, threads=2),
        NUMBA_NUM_THREADS="2",
    )
    return folder


@pytest.fixture(scope="module")
def over_five(short_batch, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("five")
    run_in_turn(5, training(short_batch, folder / "sharded", "--layout", "sharded"))
    return folder


FOLDERS = {2: "over_two", 3: "over_three", 4: "over_four", 5: "over_five"}


def losses(run: Run) -> list[float]:
    return [entry["loss"] for entry in read_log(run.folder) if entry["kind"] == "step"]


def check(run: Run, one_process: Run) -> None:
    assert run.summary_["parameters_sha256"] == one_process.summary_["parameters_sha256"]
    assert losses(run) == losses(one_process)
    assert run.scores_.to_dict() == one_process.scores_.to_dict()


@pytest.mark.parametrize(
    ("layout", "ranks", "update"),
    [("sharded", 5, "server"), ("hybrid", 4, "server"), ("baseline", 4, "owner")],
)
def test_shards_end_with_the_bits_of_one_process(layout, ranks, update, one_process, request):
    run = Run.open(request.getfixturevalue(FOLDERS[ranks]) / layout)
    layout = layout_for(describe(one_process.prepared.spec), ranks, layout, options=LayoutOptions(update))
    check(run, one_process)
    assert run.summary_["update"] == update
    check_traffic(run, layout)


@pytest.mark.parametrize(("ranks", "update"), [(2, "server"), (3, "owner")])
def test_gradients_of_drawn_patches_are_clipped_alike(ranks, update, drawn_alone, one_process, request):
    assert losses(drawn_alone) != losses(one_process)
    run = Run.open(request.getfixturevalue(FOLDERS[ranks]) / "sharded")
    options = LayoutOptions(update, clips=True)
    layout = layout_for(describe(drawn_alone.prepared.spec), ranks, "sharded", options=options)
    check(run, drawn_alone)
    assert run.summary_["update"] == update
    check_traffic(run, layout)


def test_owners_go_on_from_a_checkpoint_with_their_own_moments(over_four, over_three, drawn_alone):
    """Stopped within an epoch where owners update, and on with other owners to the bits of one process."""
    check(Run.open(over_four / "paused"), drawn_alone)


def test_a_narrow_wire_trains_and_is_counted_as_it_travels(over_four, one_process):
    run = Run.open(over_four / "narrow")
    assert run.summary_["wire"] == "bfloat16"
    wire = LayoutOptions("owner", "bfloat16")
    check_traffic(run, layout_for(describe(run.prepared.spec), 4, "baseline", options=wire))
    rounded, exact = losses(run), losses(one_process)[:6]
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_micro_batches_go_on_in_other_numbers_to_the_bits_of_one_process(over_three, one_process):
    """Within an epoch from four on three ranks to eight in one process; the last batch has seven patches."""
    run = Run.open(over_three / "parts")
    assert run.summary_["micro_batches"] == 4
    ranks, options = {"hsi": 1, "rgb": 2, "fusion": 0}, LayoutOptions(micro_batches=4)
    check_traffic(run, layout_for(describe(run.prepared.spec), 3, blocks=ranks, options=options))
    check(go_on(run.folder, layout="single", micro_batches=8, epochs=2).run, one_process)


def test_shards_normalised_alone_have_the_bits_of_their_shares(over_two, one_process):
    """Whoever updates, on any number of threads, but not those of one process; without sums of the batch."""
    runs = []
    for update in ("server", "owner"):
        runs.append(Run.open(over_two / f"by-shard-{update}"))
        scope = LayoutOptions(update, batch_norm="per_shard")
        check_traffic(runs[-1], layout_for(describe(runs[-1].prepared.spec), 2, "sharded", options=scope))
    assert runs[0].summary_["parameters_sha256"] == runs[1].summary_["parameters_sha256"]
    assert runs[0].summary_["batch_norm"] == "per_shard"
    # whoever scores it has no shards
    assert runs[0].evaluate("test").samples == one_process.evaluate("test").samples
    assert losses(runs[0]) == losses(runs[1])
    assert losses(runs[0])[1:] != losses(one_process)[1:8]
    assert losses(runs[0])[0] == pytest.approx(losses(one_process)[0], rel=0.1)


def test_uneven_shards_of_an_own_assignment(over_three, one_process):
    run = Run.open(over_three / "uneven")
    check(run, one_process)
    scores = json.loads((run.folder / "evaluation" / "test-best" / "scores.json").read_text())
    assert {**scores, **one_process.evaluate("test").to_dict()} == scores
