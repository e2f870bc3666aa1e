"""The bug `mpirun_user_error`: a wrong path under mpirun, told five times or in tracebacks of four ranks.

A missing configuration was shown by every rank. A missing run folder was shown once, but mpirun's SIGTERM
raised the other ranks out of their sleep, and each printed a traceback.
"""

import re

import pytest
from mpi_runner import run_ranks

pytestmark = pytest.mark.mpi


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("train", "no-such.toml"), 1, "no-such.toml: cannot be read"),
        (("train", "--resume", "no-such-run"), 1, "no-such-run: no such folder"),
        (("map", "no-such-run", "-o", "map.tif"), 1, "no-such-run: no such folder"),
        (("train", "--no-such-option"), 2, "No such option '--no-such-option'"),
    ],
    ids=["config", "resumed run", "mapped run", "option"],
)
def test_a_users_error_is_told_once(arguments, code, message):
    ended = run_ranks(3, ["-m", "mpmm", *arguments], limit=120)
    assert ended.code == code, ended
    assert ended.err.count(message) == 1, ended.err
    assert len(re.findall("^(error|Usage):", ended.err, re.MULTILINE)) == 1, ended.err
    assert "Traceback" not in ended.err
