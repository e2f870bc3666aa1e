"""Every rank sends arrays of several sizes and dtypes to every other, and gets them back doubled.

Once by buffered sends, once by synchronous ones.
"""

import numpy as np

from mpmm.messages import Channel, Kind, end_together, world

SIZES = (1, 1000, 5000, 300_000)

communicator = world()


def round_trips(synchronous: bool) -> None:
    channel = Channel(communicator, synchronous=synchronous)
    others = [rank for rank in range(channel.size) if rank != channel.rank]
    for dtype in ("float32", "float64"):
        for item, size in enumerate(SIZES):
            mine = np.arange(size, dtype=dtype) + channel.rank
            for peer in others:
                channel.isend(Kind.ACTIVATION, item, mine, peer)
            for peer in others:
                theirs = np.empty(size, dtype)
                channel.receive(Kind.ACTIVATION, item, theirs, peer)
                np.testing.assert_array_equal(theirs, np.arange(size, dtype=dtype) + peer)
                channel.isend(Kind.GRADIENT, item, 2 * theirs, peer)
            for peer in others:
                back = np.empty(size, dtype)
                channel.receive(Kind.GRADIENT, item, back, peer)
                np.testing.assert_array_equal(back, 2 * mine)
            channel.settle(Kind.ACTIVATION, item)
    channel.settle_all()
    # several at once, some behind a message that nobody waits for yet
    for peer in others:
        for kind in (Kind.METRICS, Kind.PULL, Kind.PUSH):
            channel.isend(kind, 0, np.full(10, channel.rank, np.float64), peer)
    waiting = {(kind, peer): np.empty(10) for kind in (Kind.PUSH, Kind.PULL) for peer in others}
    arrivals = channel.arrivals()
    for (kind, peer), buffer in waiting.items():
        arrivals.expect(channel.ireceive(kind, 0, buffer, peer), (kind, peer))
    assert len(arrivals) == len(waiting)
    came = []
    while arrivals:
        for key in arrivals.next():
            assert (waiting[key] == key[1]).all(), key
            came.append(key)
    assert sorted(came) == sorted(waiting), "each once"
    for peer in others:
        channel.receive(Kind.METRICS, 0, np.empty(10), peer)
    channel.settle_all()
    bytes_each = (sum(SIZES) * 12 * 2 + 3 * 80) * len(others)
    sent, received = channel.traffic.total("sent"), channel.traffic.total("received")
    assert sent == received, (sent, received)
    assert (sent.messages, sent.bytes) == ((len(SIZES) * 2 * 2 + 3) * len(others), bytes_each), sent
    print(f"rank {channel.rank} fine, {synchronous=}")


with end_together(communicator):
    round_trips(synchronous=False)
    round_trips(synchronous=True)
