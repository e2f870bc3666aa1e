"""Runs commands of mpmm in turn on the ranks of one mpirun, which load Python, MPI and kernels once.

in_turn.py JOBS is a list in JSON: the words of each command, variables that are set for it alone, and a path,
behind which each rank puts its number for the file that has what it prints.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

from mpmm.commands import program
from mpmm.messages import launched_rank

for job in json.loads(Path(sys.argv[1]).read_text()):
    with (
        patch.dict(os.environ, job["variables"]),
        Path(f"{job['printed']}.{launched_rank()}").open("w") as printed,
        contextlib.redirect_stdout(printed),
    ):
        program.main(job["words"], standalone_mode=False)
