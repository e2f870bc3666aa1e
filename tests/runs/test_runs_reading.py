"""The configuration of a run under mpirun: read once for the ranks of a machine that name the same file."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi_runner import run_ranks

from mpmm.settings import load_config

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
    for name in ("run", "damaged"):
        (tmp_path / name).mkdir()
    (tmp_path / "run" / "config.json").write_text(load_config(tmp_path / "own.toml").as_json())
    (tmp_path / "damaged" / "config.json").write_text("{")
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
    damaged = (
        f"ConfigError {tmp_path / 'damaged' / 'config.json'}: not JSON: Expecting property name enclosed in "
        "double quotes: line 1 column 2 (char 1): the run's folder is damaged"
    )
    assert ended.found(r"run at .*") == [f"run at 0.5; {damaged}"] * 3
