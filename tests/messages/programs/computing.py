"""Rank 0 sends a large array and computes for a while; rank 1 prints after how long it came."""

import sys
import time
from contextlib import nullcontext

import numpy as np

from mpmm.messages import Channel, Kind, end_together, world

COMPUTING = 1.0

communicator = world()
with end_together(communicator):
    channel = Channel(communicator)
    buffer = np.ones(2_000_000, np.float32)
    with channel.moving() if sys.argv[1] == "moving" else nullcontext():
        communicator.Barrier()
        if channel.rank == 0:
            channel.isend(Kind.PUSH, 0, buffer, 1)
            end = time.time() + COMPUTING
            while time.time() < end:
                # lets other threads run, as the kernels do
                np.dot(buffer, buffer)
        else:
            start = time.time()
            channel.receive(Kind.PUSH, 0, np.empty_like(buffer), 0)
            print(f"came {time.time() - start:.3f}")
        channel.settle_all()
