"""Which rank owns which block, and what each rank does in a step, as data."""

from mpmm.placement.instructions import (
    AnyOrder,
    Backward,
    Collect,
    Forward,
    Infer,
    Instruction,
    LoadLabels,
    LoadPatches,
    Loss,
    Message,
    Receive,
    Send,
    Settle,
    SettleAll,
    TakeSnapshot,
    Update,
)
from mpmm.placement.layout import Layout, check
from mpmm.placement.plan import RankPlan, plan, plan_text, schedule_text
from mpmm.placement.prediction import flattened, operations, traffic
from mpmm.placement.presets import PRESETS, layout_for
from mpmm.placement.schedule import StepKind, schedule
from mpmm.placement.script import COUNTERS
from mpmm.placement.sections import Section, sections
from mpmm.placement.shape import BlockShape, LayerShape, NetworkShape, ParameterShape, describe
from mpmm.placement.shares import Share, share_of, share_out
from mpmm.placement.threads import CoreAssignment, assign_cores, threads_per_rank

__all__ = [
    "COUNTERS",
    "PRESETS",
    "AnyOrder",
    "Backward",
    "BlockShape",
    "Collect",
    "CoreAssignment",
    "Forward",
    "Infer",
    "Instruction",
    "LayerShape",
    "Layout",
    "LoadLabels",
    "LoadPatches",
    "Loss",
    "Message",
    "NetworkShape",
    "ParameterShape",
    "RankPlan",
    "Receive",
    "Section",
    "Send",
    "Settle",
    "SettleAll",
    "Share",
    "StepKind",
    "TakeSnapshot",
    "Update",
    "assign_cores",
    "check",
    "describe",
    "flattened",
    "layout_for",
    "operations",
    "plan",
    "plan_text",
    "schedule",
    "schedule_text",
    "sections",
    "share_of",
    "share_out",
    "threads_per_rank",
    "traffic",
]
