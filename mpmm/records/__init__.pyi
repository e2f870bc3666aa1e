from .outcomes import (
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
from .owned_network import Crossing, OwnedNetwork, owned_network, run_config, traffic_rows
from .parts import PartReader
from .progress import RunProgress, progress_of
from .rank_samples import RankRates, RankSamples, rates, read_rank_samples
from .run_record import LAST_STEP, RunRecord, Status, read_progress, read_record

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
