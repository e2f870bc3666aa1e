"""The roles: worker, parameter server, driver; they play a schedule, one process all of it."""

from mpmm.ranks.affinity import bind_threads
from mpmm.ranks.counters import Counters, Limits
from mpmm.ranks.driver import Driver
from mpmm.ranks.events import EpochDone, Event, Kept, StepDone, Validation, ValidationStep
from mpmm.ranks.host_facts import HostFacts, facts_here, machine_of
from mpmm.ranks.inference import outcome
from mpmm.ranks.monitor import MeasuringWaiter, Monitor
from mpmm.ranks.orders import Order, OrderKind
from mpmm.ranks.parameter_store import ParameterStore
from mpmm.ranks.player import Player
from mpmm.ranks.profiling import keep_profile, kept_profile, measured, profile_of
from mpmm.ranks.rank_reader import ShareReader
from mpmm.ranks.schedule_cache import ScheduleCache
from mpmm.ranks.scoring import Scoring
from mpmm.ranks.server import Server
from mpmm.ranks.shutdown import ShutdownRequest
from mpmm.ranks.snapshot import Snapshot
from mpmm.ranks.timeline import Timeline, trace_events
from mpmm.ranks.warm_up import warm_up
from mpmm.ranks.worker import Worker

__all__ = [
    "Counters",
    "Driver",
    "EpochDone",
    "Event",
    "HostFacts",
    "Kept",
    "Limits",
    "MeasuringWaiter",
    "Monitor",
    "Order",
    "OrderKind",
    "ParameterStore",
    "Player",
    "ScheduleCache",
    "Scoring",
    "Server",
    "ShareReader",
    "ShutdownRequest",
    "Snapshot",
    "StepDone",
    "Timeline",
    "Validation",
    "ValidationStep",
    "Worker",
    "bind_threads",
    "facts_here",
    "keep_profile",
    "kept_profile",
    "machine_of",
    "measured",
    "outcome",
    "profile_of",
    "trace_events",
    "warm_up",
]
