from .abort import INTERRUPTED, abort, end_before_meeting, end_together
from .arrivals import Arrivals
from .channel import Arrival, Channel
from .collectives import Collectives
from .connection import Connection
from .errors import MessageError, RankLost, Stopped
from .kinds import Kind, tag_of
from .link_times import LinkTimes, measure_links
from .local import LocalChannel
from .stop import SIGNALS, Stop, signal_words
from .traffic import Amount, Flow, Traffic
from .transfer import Transfer
from .waiting import Waiter, looks_during
from .wire import BFLOAT16, WireFormat, carrier, decode, encode
from .world import EAGER, launched_rank, launched_ranks, ranks_on_host, world

__all__ = [
    "BFLOAT16",
    "EAGER",
    "INTERRUPTED",
    "SIGNALS",
    "Amount",
    "Arrival",
    "Arrivals",
    "Channel",
    "Collectives",
    "Connection",
    "Flow",
    "Kind",
    "LinkTimes",
    "LocalChannel",
    "MessageError",
    "RankLost",
    "Stop",
    "Stopped",
    "Traffic",
    "Transfer",
    "Waiter",
    "WireFormat",
    "abort",
    "carrier",
    "decode",
    "encode",
    "end_before_meeting",
    "end_together",
    "launched_rank",
    "launched_ranks",
    "looks_during",
    "measure_links",
    "ranks_on_host",
    "signal_words",
    "tag_of",
    "world",
]
