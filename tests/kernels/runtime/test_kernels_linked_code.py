"""Code that is only linked: optimised once, in the kernel that Python calls, and never run by itself."""

import os
import subprocess
import sys

# Counts what becomes machine code: a kernel with its helper, the helper by itself, and a kernel of others.
PROGRAM = """
import numba
import numpy as np
from mpmm_kernels.runtime import compiled
from mpmm_kernels.runtime.linked_code import RunLibrary

made, finalize = [], RunLibrary.finalize
RunLibrary.finalize = lambda library: made.append(library.name) or finalize(library)

@compiled
def inner(x):
    return x + 1

@compiled
def helper(x):
    return 2 * inner(x)

@compiled
def kernel(x):
    for i in range(x.size):
        x[i] = helper(x[i]) + inner(x[i])

@compiled(parallel=True)
def parallel(x):
    for i in numba.prange(x.size):
        x[i] = helper(x[i])

@numba.njit
def foreign(x):
    return helper(x) + inner(x)

x = np.arange(3.0)
kernel(x)
print(*x, *made)
parallel(x)
print(*x, *made)
print(helper(1.0), *made)
print(foreign(1.0), inner(1.0), *made)
"""


def run(folder):
    environment = os.environ | {"MPMM_KERNEL_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    (folder / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(folder / "program.py")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_only_what_python_calls_becomes_machine_code(tmp_path):
    """Two fifths of a cold start went into machine code of helpers that nobody ran."""
    assert run(tmp_path) == [
        "3.0 6.0 9.0 kernel",
        "8.0 14.0 20.0 kernel parallel",
        "4.0 kernel parallel helper",
        "6.0 2.0 kernel parallel helper inner",
    ]
