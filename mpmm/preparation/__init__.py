"""What a run reads: scene, split and normalisation, prepared in one process or over ranks."""

from mpmm.preparation.distributed import Change, Gathered, gather, gather_again
from mpmm.preparation.inventory import drawer
from mpmm.preparation.prepared import Prepared, check_patches, draw, keep, network_spec, prepare, restore
from mpmm.preparation.sampling import masks, packed_parts, unpacked_parts

__all__ = [
    "Change",
    "Gathered",
    "Prepared",
    "check_patches",
    "draw",
    "drawer",
    "gather",
    "gather_again",
    "keep",
    "masks",
    "network_spec",
    "packed_parts",
    "prepare",
    "restore",
    "unpacked_parts",
]
