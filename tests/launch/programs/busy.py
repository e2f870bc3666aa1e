"""Each rank computes for a number of seconds and tells the share of the CPU that it got: busy.py SECONDS."""

import os
import sys
import time

seconds = float(sys.argv[1])
start, cpu_start = time.perf_counter(), time.process_time()
while time.perf_counter() - start < seconds:
    pass
share = (time.process_time() - cpu_start) / (time.perf_counter() - start)
print(f"{os.uname().nodename} share {share:.3f}\n", end="", flush=True)
