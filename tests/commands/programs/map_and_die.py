"""Maps a run in windows of 40 x 100 pixels; kills itself after so many of them (on a rank, if given), once.

Other ranks hold their first window back until then, so that the windows do not run out before.

map_and_die.py RUN OUTPUT COUNT|None [RANK [killed|raises|asked]]
"""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from mpmm.commands import map as map_command
from mpmm.mapping import Mapper, cut
from mpmm.messages import launched_rank
from mpmm.runs.maps import job as map_job

RUN, OUTPUT, COUNT = sys.argv[1:4]
RANK = int(sys.argv[4]) if len(sys.argv) > 4 else 0
HOW = sys.argv[5] if len(sys.argv) > 5 else "killed"
DYING = Path(OUTPUT).parent.with_suffix(".dying")
MAP = Mapper.map
mapped = 0


def map_or_die(self, window, done=lambda pixels: None):
    """Windows that were mapped before this one are kept already."""
    global mapped
    if str(mapped) == COUNT and launched_rank() == RANK and not DYING.exists():
        DYING.touch()
        if HOW == "raises":
            raise ValueError("boom")
        os.kill(os.getpid(), signal.SIGUSR1 if HOW == "asked" else signal.SIGKILL)
    while COUNT != "None" and launched_rank() != RANK and not DYING.exists():
        # rank 0 deals windows out meanwhile
        done(0)
        time.sleep(0.01)
    mapped += 1
    return MAP(self, window, done)


map_job.cut = partial(cut, edge=(40, 100))
Mapper.map = map_or_die
code = map_command.command.main([RUN, "-o", OUTPUT], standalone_mode=False)
print(f"rank {launched_rank()} mapped {mapped}\n", end="", flush=True)
assert Path(OUTPUT).exists() or launched_rank() > 0 or code != 0
sys.exit(code)
