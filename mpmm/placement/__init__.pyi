from .candidates import Problem
from .choice import Choice, choice_from_plain, choose, fits
from .holdings import RehearsalError
from .instructions import (
    Accumulate,
    AnyOrder,
    Backward,
    Clip,
    Collect,
    Combine,
    CopyRows,
    Forward,
    Half,
    Infer,
    Instruction,
    LoadLabels,
    LoadPatches,
    Loss,
    Measure,
    SumSquares,
    TakeSnapshot,
    Update,
)
from .layout import Layout, check
from .machine import Host, Machine, bytes_a_second, cluster, one_host, quotas_of, read_hosts, seconds_of
from .memory import held_bytes
from .options import BatchNormScope, LayoutOptions, UpdatePlace
from .plan import RankPlan, mathematics_text, plan, plan_text, schedule_text
from .prediction import flattened, operations, traffic
from .presets import PRESETS, LayoutName, layout_for
from .profile import Costs, Profile, Timing, profile_from_json, sums_of
from .rehearsal import Deadlock, Rehearsal
from .schedule import StepKind, schedule
from .script import COUNTERS
from .sections import Section, sections
from .shape import BlockShape, LayerShape, NetworkShape, ParameterShape, describe
from .shares import Share, even_parts, micro_batches, rows_read, share_of, share_out, share_read
from .simulated import Prediction, RankTimes, Span, prediction_text
from .simulator import Simulation, simulate, threads_of_hosts, threads_on
from .sources import LABELS, label_rank, measured_by, modalities_of, required_sources
from .threads import CoreAssignment, assign_cores, threads_per_rank
from .transfers import Message, Receive, Send, Settle, SettleAll

__all__ = [
    "COUNTERS",
    "LABELS",
    "PRESETS",
    "Accumulate",
    "AnyOrder",
    "Backward",
    "BatchNormScope",
    "BlockShape",
    "Choice",
    "Clip",
    "Collect",
    "Combine",
    "CopyRows",
    "CoreAssignment",
    "Costs",
    "Deadlock",
    "Forward",
    "Half",
    "Host",
    "Infer",
    "Instruction",
    "LayerShape",
    "Layout",
    "LayoutName",
    "LayoutOptions",
    "LoadLabels",
    "LoadPatches",
    "Loss",
    "Machine",
    "Measure",
    "Message",
    "NetworkShape",
    "ParameterShape",
    "Prediction",
    "Problem",
    "Profile",
    "RankPlan",
    "RankTimes",
    "Receive",
    "Rehearsal",
    "RehearsalError",
    "Section",
    "Send",
    "Settle",
    "SettleAll",
    "Share",
    "Simulation",
    "Span",
    "StepKind",
    "SumSquares",
    "TakeSnapshot",
    "Timing",
    "Update",
    "UpdatePlace",
    "assign_cores",
    "bytes_a_second",
    "check",
    "choice_from_plain",
    "choose",
    "cluster",
    "describe",
    "even_parts",
    "fits",
    "flattened",
    "held_bytes",
    "label_rank",
    "layout_for",
    "mathematics_text",
    "measured_by",
    "micro_batches",
    "modalities_of",
    "one_host",
    "operations",
    "plan",
    "plan_text",
    "prediction_text",
    "profile_from_json",
    "quotas_of",
    "read_hosts",
    "required_sources",
    "rows_read",
    "schedule",
    "schedule_text",
    "seconds_of",
    "sections",
    "share_of",
    "share_out",
    "share_read",
    "simulate",
    "sums_of",
    "threads_of_hosts",
    "threads_on",
    "threads_per_rank",
    "traffic",
]
