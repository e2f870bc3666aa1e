"""Patches that are too small for a network, and the time that is left."""

import io
import time

import pytest
from bug_scenes import checked, plain, problem
from rich.console import Console

from mpmm.display.training import Lines
from mpmm.preparation import spec_of_headers
from mpmm.ranks import StepDone
from mpmm.settings import load_config

DEEP = """[
    { filters = 4, kernel = [1, 3, 3], window = [1, 2, 2] },
    { filters = 4, kernel = [1, 3, 3], window = [1, 2, 2] },
]"""


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_patches_too_small_for_the_network(tmp_path, size):
    """The patches of a configuration are made smaller than its network's kernels need.
    The error told of a kernel and an axis of some layer, and not of patches.
    Right: it names patches.size and the least value that fits.
    """
    config = plain(tmp_path, blocks=DEEP, size=str(size))
    line = problem(checked(config))
    assert f"in patches of {size} x {size} pixels (patches.size)" in line
    assert "take patches.size = 11 or more" in line
    config.write_text(config.read_text().replace(f"size = {size}", "size = 11"))
    assert spec_of_headers(load_config(config)).streams[0].size == 11


def test_a_network_that_no_size_fits_has_its_own_hint(tmp_path):
    config = plain(tmp_path, blocks=DEEP.replace("[1, 3, 3]", "[9, 3, 3]"), size="11")
    assert "patches.size" not in problem(checked(config))


def test_time_left_counted_the_compiling(monkeypatch):
    """The first step compiles for a minute, and the others take a second each.
    The time left was told as if every step took a minute: 31 minutes where 2 were left.
    Right: it counts by the steps after the first.
    """
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    text = io.StringIO()
    lines = Lines(Console(file=text, width=200), total=121, epochs=1)
    for step, seconds in enumerate([60.0] + [1.0] * 20, start=1):
        now += seconds
        lines.show(StepDone(step, 0.5, 3, 4, seconds), 0.5, 0.75, None)
    shown = text.getvalue().splitlines()
    assert "left" not in shown[0]
    assert shown[1].startswith("step 12/121")
    assert shown[1].endswith("0:01:49 left")
