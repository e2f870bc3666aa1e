"""Timing of rivals in turn, the processor's measured peak, an environment in which PyTorch is at its best."""

import json
import math
import os
import subprocess
import sys
import time
from statistics import median

import numpy as np
from mpmm_kernels.runtime import compiled
from mpmm_kernels.vector import lanes, size, slide, store_block, zeros
from numba import prange

# PyTorch frees and takes large arrays in each step: it waits for zeroed pages unless the allocator keeps them
MALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "536870912",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}
# A processor without AVX-512 on one that has it: for our compiler, and for the libraries inside PyTorch
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+sse4.1,+sse4.2,-avx512f",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}
_ROW, _TAPS, _REPEATS = 24, 3, 20_000
# seconds that a rival runs before the run that counts, and that a process at rest computes in a millisecond
_WARM, _IDLE = 0.01, 0.0003


def environment(threads, cpu="native"):
    """What a process that measures with so many threads is started in."""
    counts = {"OMP_NUM_THREADS": str(threads), "NUMBA_NUM_THREADS": str(threads)}
    return {**os.environ, **MALLOC, **counts, **(AVX2 if cpu == "avx2" else {})}


def in_process(script, threads, cpu, *arguments):
    """What a script prints as JSON, run in a process of its own."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, env=environment(threads, cpu), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def in_turn(rivals, rounds):
    """Median and least seconds of each of the named functions, called one after the other, round by round.

    A turn begins when the threads of the one before it are asleep: PyTorch's computed for up to four
    milliseconds after a convolution had returned. Then it runs for a while, as in a loop of its own, and the
    next run counts: of a step that takes one millisecond not the second, whose code is in no cache yet.
    """
    for run in rivals.values():
        run()
        run()
    seconds = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            _wait_until_idle()
            warm = time.perf_counter() + _WARM
            while time.perf_counter() < warm:
                run()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: (median(values), min(values)) for name, values in seconds.items()}


def _wait_until_idle():
    """Return once no thread of this process has computed for a millisecond."""
    computed = math.inf
    while computed > _IDLE:
        before = time.process_time()
        time.sleep(0.001)
        computed = time.process_time() - before


def peak(threads):
    """Floating-point operations a second of multiply-adds in registers, the best of several tries."""
    x, w = np.ones(_ROW + _TAPS, "float32"), np.full(_TAPS * lanes("float32"), 1e-6, "float32")
    y = np.zeros((threads, _ROW * lanes("float32")), "float32")
    operations = 2 * threads * _REPEATS * _ROW * _TAPS * lanes("float32")
    best = min(in_turn({"peak": lambda: _spin(x, w, y, size(_ROW), size(_TAPS))}, 15)["peak"])
    return operations / best


@compiled(parallel=True)
def _spin(x, w, y, width, taps):
    for worker in prange(y.shape[0]):
        _spin_one(x, w, y[worker], width, taps)


@compiled
def _spin_one(x, w, y, width, taps):
    sums = zeros(x, width)
    for _ in range(_REPEATS):
        sums = slide(sums, x, 0, w, 0, w.size // len(taps), taps)
    store_block(sums, y, 0, w.size // len(taps), _ONE)


_ONE = size(1)
