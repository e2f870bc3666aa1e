"""Loads the kernels that read scenes: every run needs them, whatever its network."""

from functools import cache

from mpmm_kernels.patches.gather import gather_none
from mpmm_kernels.patches.pixel_sums import add_none
from mpmm_kernels.runtime import compile_once


def run_readers() -> None:
    """Load or compile the kernels, by reading nothing."""
    gather_none()
    add_none()


@cache
def load_readers() -> None:
    """Load or compile the kernels, once in a process; of several that start cold, one compiles."""
    with compile_once("reading scenes float32"):
        run_readers()
