"""What a run reads: scene, split and normalisation, prepared on one rank or several."""

from mpmm.preparation.distributed import (
    RankPreparation,
    Restoration,
    prepare_on_ranks,
    restore_on_ranks,
)
from mpmm.preparation.local import prepare, restore
from mpmm.preparation.prepared import (
    Prepared,
    check_patches,
    draw,
    keep,
    network_spec,
    spec_of_headers,
    split_options,
)
from mpmm.preparation.records import keep_records, range_warnings, read_records, records_of
from mpmm.preparation.sampling import Readers, masks, packed_parts, unpacked_parts

__all__ = [
    "Prepared",
    "RankPreparation",
    "Readers",
    "Restoration",
    "check_patches",
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
    "spec_of_headers",
    "split_options",
    "unpacked_parts",
]
