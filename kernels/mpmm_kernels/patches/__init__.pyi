from . import minimal_filtering
from .fragments import ChannelScale, pool_fragments
from .gather import gather_none, gather_patches
from .projection import project_pixels

__all__ = [
    "ChannelScale",
    "gather_none",
    "gather_patches",
    "minimal_filtering",
    "pool_fragments",
    "project_pixels",
]
