"""Times the layers of `paper` where it runs, for the searches of later runs there; placement.py starts it.

    python tests/benchmarks/placement_profile.py BANDS BATCH FILE

Writes the profile to FILE as JSON.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from step_ours import paper_spec

from mpmm.messages import LinkTimes
from mpmm.placement import threads_of_hosts
from mpmm.ranks import facts_here, machine_of, profile_of


def main():
    bands, batch, file = sys.argv[1:]
    here = machine_of([facts_here(len(os.sched_getaffinity(0)))], LinkTimes())
    profile = profile_of(paper_spec(bands=int(bands)), int(batch), threads_of_hosts(here), anew=True)
    Path(file).write_text(profile.to_json())


if __name__ == "__main__":
    main()
