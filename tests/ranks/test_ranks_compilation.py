"""Compiling in processes side by side: what they leave behind, and what happens when one does not live."""

import os
import subprocess
import sys

import pytest
from mpmm_kernels.runtime import cache, cold_start

from mpmm.network import UPDATE, USES, BlockSpec, DenseSpec, NetworkSpec, StreamSpec
from mpmm.ranks import compilation
from mpmm.ranks.compilation import compile_side_by_side

# a convolution alone: how kernels are shared out and found again does not follow from what they compute
BLOCK = BlockSpec(2, (1, 3, 3), activation="none", pool="none", batch_norm=False)
SPEC = NetworkSpec((StreamSpec("rgb", 3, 5, (BLOCK,), (DenseSpec(4),)),), (), 3, kernels="reference")
# two that share no kernel but the sums of groups: each is a helper's
NAMES = ("rgb.block1", UPDATE)


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    """Two helpers, wherever they may run."""
    cores = sorted(os.sched_getaffinity(0))
    monkeypatch.setattr(compilation, "_CORES", [cores[0], cores[-1]])


# Loads a network's kernels, moves a long parameter, and prints how often a kernel was not on disk.
LOADING = """
import numpy as np
from mpmm_kernels.convolution.reference import kernels as convolution
from mpmm_kernels.layers import adam
from mpmm.network import Adam, Network, Parameter, run_on_zeros
from test_ranks_compilation import NAMES, SPEC

network = Network(SPEC)
for name in NAMES:
    run_on_zeros(network, name)
Adam().update(Parameter.trained("long", np.zeros((300, 100), np.float32)), 1)
kernels = [
    kernel for room in (convolution, adam) for kernel in vars(room).values() if hasattr(kernel, "stats")
]
print(sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels) > 0)
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores are not told apart here")
def test_what_helpers_compile_is_loaded_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv("MPMM_KERNEL_CACHE", str(tmp_path))
    shares = []
    compile_side_by_side(SPEC, NAMES, USES, shares.append)
    assert shares[0] == 0
    assert shares == sorted(shares)
    assert len(list(tmp_path.glob(f"kernels-{cache.cache_key()}"))) == 1
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    done = subprocess.run([sys.executable, "-c", LOADING], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "0"], done.stderr


def test_helpers_do_not_wait_for_the_lock_of_who_waits_for_them(tmp_path, monkeypatch):
    """A kernel that only scores need is compiled under a lock, which their starter held."""
    folder, looks = tmp_path / f"kernels-{cache.cache_key()}", []
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("MPMM_KERNEL_CACHE", str(tmp_path))
    monkeypatch.setattr(cold_start, "cache_folder", lambda: folder)

    def compiling(share):
        looks.append(share)
        assert len(looks) < 120, "two minutes for one small kernel"

    with cold_start.compile_once("all") as cold:
        assert cold
        compile_side_by_side(SPEC, NAMES, ["evaluation"], compiling)


def test_a_helper_that_ends_at_once_leaves_its_work_to_the_caller(monkeypatch):
    monkeypatch.setattr(compilation, "_PROGRAM", "raise SystemExit")
    shares = []
    compile_side_by_side(SPEC, NAMES, USES, shares.append)
    assert shares[0] == 0


def test_on_one_core_nothing_is_started(monkeypatch):
    monkeypatch.setattr(compilation, "_CORES", [0])
    monkeypatch.delattr(compilation, "_Helper")
    compile_side_by_side(SPEC, NAMES, USES, lambda share: pytest.fail("there is nothing to tell"))
