"""Samples of ranks: what is whole is read, rates are differences, pauses between processes are no rates."""

import json

import numpy as np
import pytest

from mpmm.records import rates, read_rank_samples

FIGURES = ("cpu_computing", "cpu_waiting", "waiting", "bytes_in", "bytes_out")


def write(folder, rank, rows, tail=""):
    """Rows of (time, computing, waiting, bytes in)."""
    (folder / "monitor").mkdir(exist_ok=True)
    lines = [
        {
            "time": time,
            "cpu_computing": computing,
            "cpu_waiting": 0.0,
            "waiting": waiting,
            "bytes_in": received,
            "bytes_out": 2 * received,
            "resident_bytes": 7,
        }
        for time, computing, waiting, received in rows
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "monitor" / f"rank-{rank}.jsonl").write_text(text + tail)


def test_rates_are_differences_a_second(tmp_path):
    write(tmp_path, 1, [(100, 0, 0, 0), (102, 1, 0.5, 4000), (103, 3, 0.5, 4000)])
    (samples,) = read_rank_samples(tmp_path)
    seen = rates(samples, first=99.0)
    np.testing.assert_allclose(seen.began, [1, 3])
    np.testing.assert_allclose(seen.ended, [3, 4])
    np.testing.assert_allclose(seen.computing, [0.5, 2])
    np.testing.assert_allclose(seen.waiting, [0.25, 0])
    np.testing.assert_allclose(seen.bytes_in, [2000, 0])
    np.testing.assert_allclose(seen.bytes_out, [4000, 0])


def test_a_pause_between_two_processes_is_no_rate_and_sums_go_on(tmp_path):
    write(tmp_path, 0, [(0, 0, 0, 0), (1, 5, 1, 100), (50, 0, 0, 10), (51, 1, 0, 30)])
    (samples,) = read_rank_samples(tmp_path)
    np.testing.assert_allclose(rates(samples, 0.0).computing, [5, 1])
    assert samples.total("cpu_computing") == 6
    assert samples.total("bytes_in") == 130


def test_a_waiting_rank_whose_clock_ticks_back_is_no_new_process(tmp_path):
    write(tmp_path, 0, [(0, 0.0, 0, 0), (1, 0.35, 1, 0), (2, 0.14, 2, 9), (3, 0.55, 3, 9), (4, 1.0, 3, 9)])
    (samples,) = read_rank_samples(tmp_path)
    np.testing.assert_allclose(rates(samples, 0.0).computing, [0.35, 0, 0.2, 0.45])
    assert samples.total("cpu_computing") == pytest.approx(1.0)


def test_a_process_that_never_waited_begins_anew_where_it_computed_less(tmp_path):
    write(tmp_path, 0, [(0, 0, 0, 0), (1, 5, 0, 0), (50, 1, 0, 0), (51, 2, 0, 0)])
    (samples,) = read_rank_samples(tmp_path)
    np.testing.assert_allclose(rates(samples, 0.0).computing, [5, 1])
    assert samples.total("cpu_computing") == 7


@pytest.mark.parametrize("most", [1, 7, 100])
def test_thinned_rates_keep_every_byte(tmp_path, most):
    write(tmp_path, 0, [(second, second**1.5, 0, second**2) for second in range(101)])
    (samples,) = read_rank_samples(tmp_path)
    seen = rates(samples, 0.0, most)
    assert len(seen) <= most + 1
    assert np.sum(seen.bytes_in * (seen.ended - seen.began)) == pytest.approx(100**2)


def test_a_line_cut_short_and_other_files_are_left_out(tmp_path):
    write(tmp_path, 12, [(0, 0, 0, 0), (1, 1, 0, 0)], tail='{"time": 2, "cpu_comp')
    write(tmp_path, 3, [])
    (tmp_path / "monitor" / "rank-x.jsonl").write_text("?")
    (samples,) = read_rank_samples(tmp_path)
    assert (samples.rank, len(samples)) == (12, 2)


def test_no_folder_is_no_samples(tmp_path):
    assert read_rank_samples(tmp_path) == ()
