from .cache import cache_key, carry_cache, sources_key
from .cold_start import compile_for_holder, compile_once
from .compiler import compiled
from .dispatcher import CallsByType, SameTypes
from .interpreter import as_if_not_installed, kept_to_the_end, with_room_for_frames
from .intrinsic import compiled_intrinsic, types
from .locator import all_on_disk
from .lock import HeldElsewhere, at_once, in_turn, wait_together
from .threads import (
    available_threads,
    computing_threads,
    give_way,
    pin_threads,
    set_threads,
    side_by_side,
    threads_for,
)
from .work_queue import Tickets, next_piece, nth_longest, parts, shared_better_by_halves, tickets
from .written_code import written_code_kept

__all__ = [
    "CallsByType",
    "HeldElsewhere",
    "SameTypes",
    "Tickets",
    "all_on_disk",
    "as_if_not_installed",
    "at_once",
    "available_threads",
    "cache_key",
    "carry_cache",
    "compile_for_holder",
    "compile_once",
    "compiled",
    "compiled_intrinsic",
    "computing_threads",
    "give_way",
    "in_turn",
    "kept_to_the_end",
    "next_piece",
    "nth_longest",
    "parts",
    "pin_threads",
    "set_threads",
    "shared_better_by_halves",
    "side_by_side",
    "sources_key",
    "threads_for",
    "tickets",
    "types",
    "wait_together",
    "with_room_for_frames",
    "written_code_kept",
]
