"""Ranks read settings together: rank 1 its own file, the others one file; then one that cannot be read.

read_together.py FOLDER; prints of each rank the scene, whether it read itself, and the error. A run's
settings next: none where there is no run, the run's rate, and the error of one that is damaged.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from mpmm.errors import MpmmError
from mpmm.messages import launched_rank
from mpmm.runs import load_run_together, load_together


def error_of(read: Callable[[Path], object], path: Path) -> str:
    """The error that reading comes to, in one line."""
    try:
        read(path)
    except MpmmError as error:
        return f"{type(error).__name__} {error.problem}: {error.hint}"
    return "no error"


folder, rank = Path(sys.argv[1]), launched_rank()
config = load_together(folder / ("own.toml" if rank == 1 else "common.toml"))
read = "read" if "pydantic_core._pydantic_core" in sys.modules else "given"
# which loads what its first step needs while the first rank reads
assert rank == 0 or "mpmm_kernels.convolution.methods" in sys.modules
wrong = error_of(load_together, folder / "wrong.toml")
print(f"rank {rank} {read} {config.scene.title} {config.training.rate}; {wrong}\n", end="", flush=True)
none, run = load_run_together(folder / "none"), load_run_together(folder / "run")
assert none is None
assert run is not None
damaged = error_of(load_run_together, folder / "damaged")
print(f"run at {run.training.rate}; {damaged}\n", end="", flush=True)
