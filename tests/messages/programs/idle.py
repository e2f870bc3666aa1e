"""All ranks wait for a message that rank 0 sends after some seconds; each prints what waiting cost."""

import time

import numpy as np

from mpmm.messages import Channel, Kind, end_together, world

SECONDS = 3.0

communicator = world()
with end_together(communicator):
    channel = Channel(communicator)
    buffer = np.zeros(1)
    time.sleep(0.5)
    cpu, wall = time.process_time(), time.perf_counter()
    if channel.rank == 0:
        time.sleep(SECONDS)
        for peer in range(1, channel.size):
            channel.send(Kind.METRICS, 0, buffer, peer)
    else:
        channel.receive(Kind.METRICS, 0, buffer, 0)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
        print(f"share {share:.4f} waited {channel.waiter.seconds:.2f}")
