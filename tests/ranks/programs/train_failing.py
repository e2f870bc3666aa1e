"""`mpmm train`, but a rank ends at its fiftieth instruction: sys.argv[1] says how, sys.argv[2] which rank."""

import os
import signal
import sys
import time

from mpmm.commands import main
from mpmm.messages import launched_rank
from mpmm.ranks.player import Player

way, rank = sys.argv[1], int(sys.argv[2])
follow, calls = Player._one, []


def failing(self: Player, one: object) -> None:
    calls.append(one)
    if len(calls) == 50 and launched_rank() == rank:
        print(f"failing {time.time()}", flush=True)
        if way == "bug":
            raise ZeroDivisionError("a bug of ours")
        os.kill(os.getpid(), signal.Signals[way])
    follow(self, one)  # type: ignore[arg-type]


Player._one = failing  # type: ignore[method-assign, assignment]
sys.argv[1:] = sys.argv[3:]
main()
