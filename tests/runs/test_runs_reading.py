"""The configuration of a run under mpirun: read once for the ranks of a machine that name the same file."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi_runner import run_ranks

pytestmark = pytest.mark.mpi

PROGRAM = Path(__file__).parent / "programs" / "read_together.py"
SETTINGS = """\
[scene]
name = "{name}"
labels = {{ file = "labels.tif" }}
modalities.rgb = {{ files = ["rgb.tif"] }}

[training]
rate = {rate}
"""


def test_ranks_that_name_one_file_get_what_the_first_of_them_has_read(tmp_path):
    for name, rate in (("common", 0.25), ("own", 0.5), ("wrong", '"fast"')):
        (tmp_path / f"{name}.toml").write_text(SETTINGS.format(name=name, rate=rate))
    ended = run_ranks(3, [str(PROGRAM), str(tmp_path)], 60)
    assert ended.code == 0, ended.err + ended.out
    wrong = (
        f"ConfigError {tmp_path / 'wrong.toml'}: 'training.rate' is \"fast\": "
        "input should be a valid number: see docs/configuration.md"
    )
    assert ended.found(r"rank .*") == [
        f"rank 0 read common 0.25; {wrong}",
        f"rank 1 read own 0.5; {wrong}",
        f"rank 2 given common 0.25; {wrong}",
    ]
