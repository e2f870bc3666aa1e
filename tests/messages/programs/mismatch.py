"""Rank 0 sends what rank 1 does not expect; rank 1 prints the error it gets."""

import sys

import numpy as np

from mpmm.messages import Channel, Kind, MessageError, end_together, world

SENT = {
    "short": np.ones(3, np.float32),
    "long": np.ones(5, np.float32),
    "dtype": np.ones(4, np.float64),
    "long and large": np.ones(100_000, np.float64),
}

communicator = world()
with end_together(communicator):
    channel = Channel(communicator)
    if channel.rank == 0:
        channel.send(Kind.PUSH, 7, SENT[sys.argv[1]], 1)
    else:
        try:
            channel.receive(Kind.PUSH, 7, np.empty(4, np.float32), 0)
        except MessageError as error:
            print(f"found: {error.problem}", flush=True)
            # the sender of a large message may be left without a receiver
            sys.exit(3)
