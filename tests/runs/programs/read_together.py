"""Ranks read settings together: rank 1 its own file, the others one file; then one that cannot be read.

read_together.py FOLDER; prints of each rank the scene, whether it read itself, and the error.
"""

import sys
from pathlib import Path

from mpmm.errors import MpmmError
from mpmm.messages import launched_rank
from mpmm.runs import load_together

folder, rank = Path(sys.argv[1]), launched_rank()
config = load_together(folder / ("own.toml" if rank == 1 else "common.toml"))
read = "read" if "pydantic_core" in sys.modules else "given"
try:
    load_together(folder / "wrong.toml")
except MpmmError as error:
    said = f"{type(error).__name__} {error.problem}: {error.hint}"
print(f"rank {rank} {read} {config.scene.title} {config.training.rate}; {said}\n", end="", flush=True)
