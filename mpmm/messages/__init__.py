"""Messages between ranks: kinds and tags, channels, waiting, traffic; the only room that imports mpi4py."""

from mpmm.messages.abort import INTERRUPTED, abort, end_before_meeting, end_together
from mpmm.messages.arrivals import Arrivals
from mpmm.messages.channel import Arrival, Channel
from mpmm.messages.collectives import Collectives
from mpmm.messages.connection import Connection
from mpmm.messages.errors import MessageError, RankLost, Stopped
from mpmm.messages.kinds import Kind, tag_of
from mpmm.messages.link_times import LinkTimes, measure_links
from mpmm.messages.local import LocalChannel
from mpmm.messages.stop import Stop
from mpmm.messages.traffic import Amount, Flow, Traffic
from mpmm.messages.transfer import Transfer
from mpmm.messages.waiting import Waiter, looks_during
from mpmm.messages.wire import BFLOAT16, WireFormat, carrier, decode, encode
from mpmm.messages.world import EAGER, launched_rank, launched_ranks, ranks_on_host, world

__all__ = [
    "BFLOAT16",
    "EAGER",
    "INTERRUPTED",
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
    "tag_of",
    "world",
]
