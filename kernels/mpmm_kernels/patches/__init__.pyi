from . import minimal_filtering
from .fragments import ChannelScale, pool_fragments
from .gather import gather_patches
from .loading import load_readers, run_readers
from .pixel_sums import add_pixels
from .projection import project_pixels

__all__ = [
    "ChannelScale",
    "add_pixels",
    "gather_patches",
    "load_readers",
    "minimal_filtering",
    "pool_fragments",
    "project_pixels",
    "run_readers",
]
