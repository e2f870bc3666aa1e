"""The roles: one process, worker, parameter server, driver; they play a schedule."""

from mpmm.ranks.affinity import sit
from mpmm.ranks.counters import Counters, Limits
from mpmm.ranks.driver import Driver, Kept
from mpmm.ranks.events import EpochDone, Event, StepDone, Validation, ValidationStep
from mpmm.ranks.inference import outcome, predict, validate
from mpmm.ranks.monitor import MeasuringWaiter, Monitor
from mpmm.ranks.orders import Do, Order
from mpmm.ranks.parameter_store import Keeping
from mpmm.ranks.player import Player
from mpmm.ranks.rank_reader import ShareReader
from mpmm.ranks.schedule_cache import Course
from mpmm.ranks.scoring import Scoring
from mpmm.ranks.server import Server
from mpmm.ranks.shutdown import Notice
from mpmm.ranks.single import SingleProcess
from mpmm.ranks.snapshot import State
from mpmm.ranks.timeline import Timeline, trace_events
from mpmm.ranks.warm_up import warm_up
from mpmm.ranks.worker import Worker

__all__ = [
    "Counters",
    "Course",
    "Do",
    "Driver",
    "EpochDone",
    "Event",
    "Keeping",
    "Kept",
    "Limits",
    "MeasuringWaiter",
    "Monitor",
    "Notice",
    "Order",
    "Player",
    "Scoring",
    "Server",
    "ShareReader",
    "SingleProcess",
    "State",
    "StepDone",
    "Timeline",
    "Validation",
    "ValidationStep",
    "Worker",
    "outcome",
    "predict",
    "sit",
    "trace_events",
    "validate",
    "warm_up",
]
