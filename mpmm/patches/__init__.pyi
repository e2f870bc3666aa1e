from .augmentation import orientations
from .batch import DEPTH, Batch, HeldOut, Read
from .batches import Batches
from .candidates import usable_candidates
from .components import fit_projection, project_values
from .drawing import draw_split
from .extra import extra_patches
from .folds import draw_fold
from .given import check_apart, draw_given
from .normalization import Normalization, Pixels, measure_normalization
from .overlap import overlap_share
from .part_table import read_part_table
from .prefetch import Prefetcher, prefetch
from .projection import Projection
from .reader import PatchReader
from .samples import Samples
from .shares import PARTS, Part, check_fold, check_shares
from .split import Split, SplitKind, SplitOptions
from .training_range import OutOfRange, far_outside, training_range
from .usable import ClassCount, class_positions, lost_per_class, usable_centres
from .windows import check_size, window_sums

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
