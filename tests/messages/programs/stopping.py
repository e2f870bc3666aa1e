"""Every rank works until it is asked to stop, then finishes its step, which takes a second."""

import time

from mpmm.messages import Channel, Stop, Waiter, end_together, world

LIMIT = 20

communicator = world()
with end_together(communicator), Stop().on_signals() as stop:
    channel = Channel(communicator, Waiter(stop))
    communicator.Barrier()
    print(f"began {channel.rank}", flush=True)
    end = time.monotonic() + LIMIT
    while not stop.asked and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(1)
    print(f"rank {channel.rank} finished after {stop.reason}", flush=True)
