"""Patches from an aligned scene: sampling, splits, batches, normalisation, augmentation."""

from mpmm.patches.augmentation import orientations
from mpmm.patches.batches import Batches
from mpmm.patches.overlap import overlap_share
from mpmm.patches.samples import Samples
from mpmm.patches.split import Split, SplitKind, draw_split
from mpmm.patches.usable import ClassCount, class_positions, lost_per_class, usable_centres

__all__ = [
    "Batches",
    "ClassCount",
    "Samples",
    "Split",
    "SplitKind",
    "class_positions",
    "draw_split",
    "lost_per_class",
    "orientations",
    "overlap_share",
    "usable_centres",
]
