"""Rank ``sys.argv[2]``, or all, ends as ``sys.argv[1]`` says, while the others wait for a message."""

import os
import signal
import sys
import threading
import time

import numpy as np

from mpmm.errors import InputError
from mpmm.messages import Channel, Kind, end_before_meeting, end_together, launched_rank, world


def fail(way: str) -> None:
    if way == "error":
        raise InputError("the file is too old", "use a newer one")
    if way == "bug":
        raise ZeroDivisionError("a bug of ours")
    if way == "exit":
        sys.exit(4)
    if way == "thread":
        thread = threading.Thread(target=fail, args=("bug",))
        thread.start()
        thread.join()
    if way.startswith("SIG"):
        os.kill(os.getpid(), signal.Signals[way])
    time.sleep(60)


if sys.argv[1] == "early" and sys.argv[2] in (str(launched_rank()), "all"):
    end_before_meeting("error: the file is too old\nhint: use a newer one\n", 3)
communicator = world()
rank = communicator.Get_rank()
with end_together(communicator):
    channel = Channel(communicator)
    buffer = np.zeros(1)
    print(f"began {rank}", flush=True)
    time.sleep(0.5)
    if sys.argv[2] in (str(rank), "all"):
        print(f"failing {time.time()}", flush=True)
        fail(sys.argv[1])
    channel.receive(Kind.METRICS, 0, buffer, (rank + 1) % channel.size)
