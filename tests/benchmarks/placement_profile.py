"""Times a network's layers where it runs, for the searches of later runs there; placement.py starts it.

    python tests/benchmarks/placement_profile.py PRESET BANDS BATCH FILE

Writes the profile to FILE as JSON.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "launch"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from placement_places import Work

from mpmm.messages import LinkTimes
from mpmm.placement import threads_of_hosts
from mpmm.ranks import facts_here, machine_of, profile_of


def main():
    preset, bands, batch, file = sys.argv[1:]
    work = Work(preset, int(bands), int(batch))
    here = machine_of([facts_here(len(os.sched_getaffinity(0)))], LinkTimes())
    profile = profile_of(work.spec(), work.batch, threads_of_hosts(here), anew=True)
    Path(file).write_text(profile.to_json())


if __name__ == "__main__":
    main()
