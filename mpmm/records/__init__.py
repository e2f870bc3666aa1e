"""What a run folder says of a run, also an old, interrupted or foreign one: read, never guessed."""

from mpmm.records.outcomes import (
    Curve,
    Outcome,
    OutcomeFigure,
    OutcomeTable,
    curve_looks,
    is_comparison,
    keep_outcome,
    outcome_folder,
    read_outcomes,
)
from mpmm.records.owned_network import Crossing, OwnedNetwork, owned_network, run_config, traffic_rows
from mpmm.records.parts import PartReader
from mpmm.records.progress import RunProgress, progress_of
from mpmm.records.rank_samples import RankRates, RankSamples, rates, read_rank_samples
from mpmm.records.run_record import LAST_STEP, RunRecord, Status, read_progress, read_record

__all__ = [
    "LAST_STEP",
    "Crossing",
    "Curve",
    "Outcome",
    "OutcomeFigure",
    "OutcomeTable",
    "OwnedNetwork",
    "PartReader",
    "RankRates",
    "RankSamples",
    "RunProgress",
    "RunRecord",
    "Status",
    "curve_looks",
    "is_comparison",
    "keep_outcome",
    "outcome_folder",
    "owned_network",
    "progress_of",
    "rates",
    "read_outcomes",
    "read_progress",
    "read_rank_samples",
    "read_record",
    "run_config",
    "traffic_rows",
]
