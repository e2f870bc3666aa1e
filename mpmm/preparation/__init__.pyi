from .by_scene import split_by_scene
from .distributed import RankPreparation, Restoration, prepare_on_ranks, restore_on_ranks
from .local import agreed, prepare, restore
from .prepared import (
    Prepared,
    check_patches,
    draw,
    keep,
    network_spec,
    rows_of_scenes,
    spec_of_headers,
    split_options,
)
from .records import keep_records, range_warnings, read_records, records_of
from .rows import check_rows
from .sampling import Readers, masks, packed_parts, unpacked_parts

__all__ = [
    "Prepared",
    "RankPreparation",
    "Readers",
    "Restoration",
    "agreed",
    "check_patches",
    "check_rows",
    "draw",
    "keep",
    "keep_records",
    "masks",
    "network_spec",
    "packed_parts",
    "prepare",
    "prepare_on_ranks",
    "range_warnings",
    "read_records",
    "records_of",
    "restore",
    "restore_on_ranks",
    "rows_of_scenes",
    "spec_of_headers",
    "split_by_scene",
    "split_options",
    "unpacked_parts",
]
