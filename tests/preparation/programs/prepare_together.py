"""Ranks prepare a run together: each prints whether it has loaded what opens rasters, and what it reads.

prepare_together.py CONFIG; a digest of the labels and of each modality's values. Each checks as one that
records would that a folder to be made, beside the configuration, is no input.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from mpmm.messages import Channel, Collectives, world
from mpmm.preparation import prepare_on_ranks
from mpmm.results import refuse_inputs
from mpmm.runs import load_together

collectives = Collectives(Channel(world()))
path = Path(sys.argv[1])
config = load_together(path)
scene = prepare_on_ranks(
    collectives, config, check=lambda _: refuse_inputs([path.parent / "run"], config.named_files())
).prepared.scene
arrays = scene.labels, *(modality.pieces[0][1] for modality in scene.modalities.values())
digests = [hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:16] for array in arrays]
opens = "opens rasters" if "rasterio" in sys.modules else "maps"
print(f"rank {collectives.rank} {opens}: {' '.join(digests)}\n", end="", flush=True)
