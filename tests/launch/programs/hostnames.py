"""Each rank tells its host's name, as MPI and as the system know it, and its threads."""

import os

from mpi4py import MPI

world = MPI.COMM_WORLD
told = [world.rank, MPI.Get_processor_name(), os.uname().nodename, os.environ["OMP_NUM_THREADS"]]
lines = world.gather(" ".join(map(str, told)))
if lines is not None:
    print("\n".join(lines))
