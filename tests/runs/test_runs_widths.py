"""Training, scores and maps are the same bits whatever the width of the processor's vectors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import small_config

HERE = Path(__file__).resolve().parent
# a stream of two blocks with Winograd's tiles and vectors half empty, one of a narrow first block
NETWORK = """\
kernels = "fast"
fusion = [{ units = 16, dropout = 0.3 }]

[network.streams.hsi]
blocks = [
    { filters = 16, kernel = [7, 3, 3], window = [2, 1, 1], dropout = 0.1 },
    { filters = 20, kernel = [3, 3, 3], window = [3, 2, 2] },
]
dense = [{ units = 20, dropout = 0.3 }]

[network.streams.rgb]
blocks = [{ filters = 6, kernel = [3, 3, 3], padding = ["same", "valid", "valid"], window = [1, 2, 2] }]
dense = [{ units = 16 }]

[training]
epochs = 1
batch = 16
rate = 0.005
"""
WIDTHS = (128, 256, 512)
# each width's process compiles all kernels of a network first; single blocks are compared in tests/kernels
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("MPMM_FULL"), reason="compiles kernels for minutes"),
]


def lines(width, *arguments):
    """What the program prints with vectors of so many bits."""
    paths = os.pathsep.join([str(HERE.parent / "benchmarks"), *sys.path])
    variables = {**os.environ, "PYTHONPATH": paths, "MPMM_VECTOR_BITS": str(width)}
    program = [sys.executable, str(HERE / "programs" / "at_this_width.py"), *map(str, arguments)]
    done = subprocess.run(program, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_a_run_has_the_same_bits_at_every_width(tmp_path):
    """On AVX2 a plan was another one than on AVX-512, and so were the parameters."""
    config = small_config(tmp_path / "scene")
    text = config.read_text()
    head, tail = text.index("kernels ="), text.index("rate = 0.005\n") + len("rate = 0.005\n")
    config.write_text(text[:head] + NETWORK + text[tail:])
    printed = [lines(width, config, tmp_path / str(width)) for width in WIDTHS]
    assert [line.split()[0] for line in printed[0]] == ["training", "scores", "map"]
    assert all(each == printed[0] for each in printed)


@pytest.mark.parametrize("name", ["Ben Hamida, 103 bands", "Ahmad"])
def test_published_networks_have_the_same_bits_at_every_width(name):
    printed = [lines(width, name) for width in WIDTHS]
    assert printed[0] == printed[1] == printed[2]
