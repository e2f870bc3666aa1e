"""What compiled kernels run on: compiler, cache on disk, threads, work shared out among them."""

from mpmm_kernels.runtime.cache import cache_key, carry_cache, sources_key
from mpmm_kernels.runtime.cold_start import compile_once
from mpmm_kernels.runtime.compiler import compiled
from mpmm_kernels.runtime.intrinsic import compiled_intrinsic, types
from mpmm_kernels.runtime.locator import all_on_disk
from mpmm_kernels.runtime.lock import HeldElsewhere, at_once, in_turn, wait_together
from mpmm_kernels.runtime.threads import (
    available_threads,
    give_way,
    pin_threads,
    set_threads,
    side_by_side,
)
from mpmm_kernels.runtime.work_queue import Tickets, next_piece, parts, tickets

__all__ = [
    "HeldElsewhere",
    "Tickets",
    "all_on_disk",
    "at_once",
    "available_threads",
    "cache_key",
    "carry_cache",
    "compile_once",
    "compiled",
    "compiled_intrinsic",
    "give_way",
    "in_turn",
    "next_piece",
    "parts",
    "pin_threads",
    "set_threads",
    "side_by_side",
    "sources_key",
    "tickets",
    "types",
    "wait_together",
]
