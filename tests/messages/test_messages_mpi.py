"""Channels between real ranks: round trips, mismatches found, waiting is cheap, one failure ends all once."""

from __future__ import annotations

import pickle
import re
import time
from pathlib import Path

import pytest
from mpi_runner import Ended, Overdue, run_ranks, soon

from mpmm.network import paper
from mpmm.placement import describe

PROGRAMS = Path(__file__).parent / "programs"
WHO = ("0", "3", "all")

pytestmark = pytest.mark.mpi


def play(ranks: int, program: str, *arguments: str, limit: float = 30) -> Ended:
    return run_ranks(ranks, [str(PROGRAMS / f"{program}.py"), *arguments], limit)


def test_round_trips_of_all_sizes_between_all_ranks() -> None:
    ended = play(4, "round_trips")
    fine = [f"rank {rank} fine, {synchronous=}" for rank in range(4) for synchronous in (False, True)]
    assert ended.found(r"rank \d fine, synchronous=(?:True|False)") == fine, ended.err
    assert ended.code == 0


def test_links_are_measured_by_a_ping_pong() -> None:
    ended = play(4, "links")
    assert (ended.code, ended.out) == (0, "plausible\n"), ended


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("short", "rank 1: parameter push 7 from rank 0 has 12 bytes, expected 16"),
        ("long", "rank 1: parameter push 7 from rank 0 has 20 bytes, expected 16"),
        ("dtype", "rank 1: parameter push 7 from rank 0 has 32 bytes, expected 16"),
        # written into the buffer by Open MPI 5.0.11 before it looks at the length: memory corrupted
        ("long and large", "rank 1: parameter push 7 from rank 0 has 800000 bytes, expected 16"),
    ],
)
def test_a_message_that_does_not_fit_is_found(fault: str, message: str) -> None:
    ended = play(2, "mismatch", fault)
    assert f"found: {message}" in ended.out, ended


def test_waiting_costs_less_than_three_percent_of_a_core() -> None:
    ended = play(5, "idle")
    figures = [line.split()[1::2] for line in ended.found(r"share [\d.]+ waited [\d.]+")]
    assert len(figures) == 4, ended
    assert all(float(share) < 0.03 for share, _ in figures), figures
    assert all(float(waited) > 2.5 for _, waited in figures), figures


@pytest.mark.parametrize(
    ("way", "message", "code", "rank"),
    [
        *[("error", r"error: rank \d: the file is too old\nhint: use a newer one\n", 1, who) for who in WHO],
        ("bug", r"error: rank 3 on \S+:\nTraceback[^$]*ZeroDivisionError: a bug of ours\n", 1, "3"),
        ("thread", r"error: rank 0 on \S+:\nTraceback[^$]*ZeroDivisionError: a bug of ours\n", 1, "0"),
        ("exit", r"error: rank 2: exit with 4\n", 4, "2"),
        *[("SIGTERM", r"error: rank \d: ended by SIGTERM\n", 130, who) for who in ("1", "all")],
    ],
)
def test_one_failure_ends_all_within_two_seconds_and_is_shown_once(
    way: str, message: str, code: int, rank: str
) -> None:
    ended = play(5, "failing", way, rank)
    after = time.time() - float(ended.found(r"failing [\d.]+")[0].split()[1])
    assert len(re.findall(message, ended.err)) == 1, ended.err
    assert ended.err.count("error: rank") == 1, ended.err
    assert ended.err.count("Traceback") == (way in ("bug", "thread")), ended.err
    assert ended.code == code
    assert after < soon(2), ended


@pytest.mark.parametrize("rank", ["3", "all"])
def test_a_failure_before_the_ranks_have_met_is_shown_once(rank: str) -> None:
    ended = play(5, "failing", "early", rank)
    assert ended.err.count("error: the file is too old\nhint: use a newer one\n") == 1, ended.err
    assert ended.err.count("error:") == 1, ended.err
    assert "Traceback" not in ended.err
    assert ended.code == 3


def test_a_killed_rank_ends_the_job() -> None:
    ended = play(5, "failing", "SIGKILL", "2")
    assert time.time() - float(ended.found(r"failing [\d.]+")[0].split()[1]) < soon(2)
    assert ended.code != 0


def test_the_runner_kills_ranks_that_never_end() -> None:
    start = time.monotonic()
    with pytest.raises(Overdue, match="began 1") as overdue:
        # rank 9 does not exist: everybody waits for everybody
        play(2, "failing", "error", "9", limit=8)
    assert time.monotonic() - start < 20
    assert "took over 8 s" in str(overdue.value)


@pytest.fixture(scope="module")
def paper_shape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The paper's network, pickled, so that the ranks need not load the compiler."""
    path = tmp_path_factory.mktemp("shape") / "paper.pickle"
    path.write_bytes(pickle.dumps(describe(paper({"hsi": 48, "rgb": 3}, classes=20))))
    return path


@pytest.mark.parametrize(
    ("ranks", "plays"),
    [
        (5, ("baseline buffered", "baseline synchronous", "data synchronous")),
        (4, ("optimized synchronous",)),
    ],
)
def test_schedules_play_over_mpi_with_the_predicted_traffic_to_the_byte(
    ranks: int, plays: tuple[str, ...], paper_shape: Path
) -> None:
    words = [word for each in plays for word in each.split()]
    ended = play(ranks, "play_schedule", str(paper_shape), *words, limit=30 * len(plays))
    played = [f"rank {rank} as predicted: {each}" for rank in range(ranks) for each in plays]
    assert ended.found(r"rank \d as predicted: \w+ \w+") == sorted(played), ended
    assert ended.code == 0


def test_a_large_message_comes_while_its_sender_computes() -> None:
    """Between machines MPI moves messages only while it is called; the sender is not calling it."""
    command = [str(PROGRAMS / "computing.py"), "moving"]
    ended = run_ranks(2, command, OMPI_MCA_btl="tcp,self", OMPI_MCA_pml="ob1")
    assert float(ended.found(r"came [\d.]+")[0].split()[1]) < 0.7, ended
