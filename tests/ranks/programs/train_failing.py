"""`mpmm train`, but a rank ends at its fifth schedule: sys.argv[1] says how, sys.argv[2] which rank."""

import os
import signal
import sys
import time

from mpmm.commands import main
from mpmm.messages import launched_rank
from mpmm.ranks.player import Player

way, rank = sys.argv[1], int(sys.argv[2])
play, calls = Player.play, []


def failing(self: Player, *schedule: object) -> None:
    calls.append(schedule)
    if len(calls) == 5 and launched_rank() == rank:
        print(f"failing {time.time()}", flush=True)
        if way == "bug":
            raise ZeroDivisionError("a bug of ours")
        os.kill(os.getpid(), signal.Signals[way])
    play(self, *schedule)  # type: ignore[arg-type]


Player.play = failing  # type: ignore[method-assign, assignment]
sys.argv[1:] = sys.argv[3:]
main()
