"""Patches and whole maps: cutting batches, projections, pooling that keeps every pixel, minimal filtering."""

from mpmm_kernels.patches import minimal_filtering
from mpmm_kernels.patches.fragments import ChannelScale, pool_fragments
from mpmm_kernels.patches.gather import gather_none, gather_patches
from mpmm_kernels.patches.projection import project_pixels

__all__ = [
    "ChannelScale",
    "gather_none",
    "gather_patches",
    "minimal_filtering",
    "pool_fragments",
    "project_pixels",
]
