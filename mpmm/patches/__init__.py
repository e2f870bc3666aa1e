"""Patches from an aligned scene: sampling, splits, batches, normalisation, augmentation."""

from mpmm.patches.augmentation import orientations
from mpmm.patches.batch import DEPTH, Batch, HeldOut, Read
from mpmm.patches.batches import Batches
from mpmm.patches.candidates import usable_candidates
from mpmm.patches.components import fit_projection, project_values
from mpmm.patches.drawing import draw_split
from mpmm.patches.extra import extra_patches
from mpmm.patches.folds import draw_fold
from mpmm.patches.given import check_apart, draw_given
from mpmm.patches.normalization import Normalization, Pixels, measure_normalization
from mpmm.patches.overlap import overlap_share
from mpmm.patches.part_table import read_part_table
from mpmm.patches.prefetch import Prefetcher, prefetch
from mpmm.patches.projection import Projection
from mpmm.patches.reader import PatchReader
from mpmm.patches.samples import Samples
from mpmm.patches.shares import PARTS, Part, check_fold, check_shares
from mpmm.patches.split import Split, SplitKind, SplitOptions
from mpmm.patches.training_range import OutOfRange, far_outside, training_range
from mpmm.patches.usable import ClassCount, class_positions, lost_per_class, usable_centres
from mpmm.patches.windows import check_size, window_sums

__all__ = [
    "DEPTH",
    "PARTS",
    "Batch",
    "Batches",
    "ClassCount",
    "HeldOut",
    "Normalization",
    "OutOfRange",
    "Part",
    "PatchReader",
    "Pixels",
    "Prefetcher",
    "Projection",
    "Read",
    "Samples",
    "Split",
    "SplitKind",
    "SplitOptions",
    "check_apart",
    "check_fold",
    "check_shares",
    "check_size",
    "class_positions",
    "draw_fold",
    "draw_given",
    "draw_split",
    "extra_patches",
    "far_outside",
    "fit_projection",
    "lost_per_class",
    "measure_normalization",
    "orientations",
    "overlap_share",
    "prefetch",
    "project_values",
    "read_part_table",
    "training_range",
    "usable_candidates",
    "usable_centres",
    "window_sums",
]
