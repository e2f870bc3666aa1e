"""Rank 0 sends a number of bytes to rank 1, and tells how long that took: transfer.py BYTES."""

import sys
import time

import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
payload = np.zeros(int(sys.argv[1]), np.uint8)
answer = np.zeros(1, np.uint8)
world.Barrier()
start = time.perf_counter()
if world.rank == 0:
    world.Send(payload, 1)
    world.Recv(answer, 1)
    print(f"seconds {time.perf_counter() - start}")
else:
    world.Recv(payload, 0)
    world.Send(answer, 0)
