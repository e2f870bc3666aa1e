from .affinity import bind_threads, cores_given_back
from .counters import Counters, Limits
from .driver import Driver
from .events import EpochDone, Event, Kept, StepDone, Validation, ValidationStep
from .host_facts import HostFacts, facts_here, machine_of
from .inference import outcome
from .kept import keep_text, kept_text
from .monitor import MeasuringWaiter, Monitor
from .orders import Order, OrderKind
from .parameter_store import ParameterStore
from .player import Player
from .profiling import keep_profile, kept_profile, measured, profile_of
from .rank_reader import ShareReader
from .schedule_cache import ScheduleCache
from .scoring import Scoring
from .server import Server
from .shutdown import ShutdownRequest
from .snapshot import Snapshot
from .timeline import Timeline, trace_events
from .warm_up import warm_up
from .worker import Worker

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
    "cores_given_back",
    "facts_here",
    "keep_profile",
    "keep_text",
    "kept_profile",
    "kept_text",
    "machine_of",
    "measured",
    "outcome",
    "profile_of",
    "trace_events",
    "warm_up",
]
