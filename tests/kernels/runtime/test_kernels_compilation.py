"""Machine code on disk: made once by one process, never stale, and forgotten versions removed."""

import gc
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from mpmm_kernels.runtime import cache, compile_once
from mpmm_kernels.runtime.parallel_loops import KernelCompiler
from numba.core import caching
from numba.core.compiler import CompilerBase
from numba.core.registry import cpu_target

# Two kernels, compiled cold; prints whether this process was the one to compile, and the code it made itself.
PROGRAM = """
import numpy as np
from mpmm_kernels.layers import AdamOptions, AdamState, adam_step
from mpmm_kernels.layers.adam import moved_part
from mpmm_kernels.layers.softmax import softmax
from mpmm_kernels.runtime import compile_once

with compile_once("adam and softmax") as first:
    values = [np.ones(3) for _ in range(4)]
    value, gradient, *moments = values
    adam_step(AdamState(value, *moments), gradient, AdamOptions(0.1, 0.9, 0.999, 1e-8, 0.0), 1)
    softmax(np.ones((2, 2)), np.ones((2, 2)))
made = sum(sum(kernel.stats.cache_misses.values()) for kernel in (moved_part, softmax))
print(int(first), made, *values[0])
"""


def start(folder: Path, **variables: str) -> "subprocess.Popen[str]":
    ours = {"MPMM_KERNEL_CACHE": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment = os.environ | ours | variables
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, int, str]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    first, made, values = output.strip().split(maxsplit=2)
    return int(first), int(made), values


@pytest.fixture(scope="module")
def cold_pair(tmp_path_factory):
    """A cache that two processes found empty at once, and what each said, the one that compiled first."""
    folder = tmp_path_factory.mktemp("cold")
    processes = [start(folder), start(folder)]
    return folder, sorted((finish(process) for process in processes), reverse=True)


def test_of_two_cold_processes_one_compiles_and_the_other_waits(cold_pair):
    """Two ranks on one machine used to compile the same kernels at once, each at half the speed."""
    folder, (first, second) = cold_pair
    assert first[:2] == (1, 2)
    assert second[:2] == (0, 0)
    assert first[2] == second[2]
    assert finish(start(folder))[:2] == (0, 0)
    assert len(list(folder.glob("kernels-*"))) == 1


def test_a_checkout_elsewhere_takes_the_same_machine_code(tmp_path, cold_pair):
    """Numba files machine code by where its source lies: each checkout and each image compiled anew."""
    package = Path(cache.__file__).parents[1]
    shutil.copytree(
        package, tmp_path / "elsewhere" / package.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    folder, _ = cold_pair
    assert finish(start(folder, PYTHONPATH=str(tmp_path / "elsewhere")))[:2] == (0, 0)


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_not_searched_while_a_kernel_is_compiled(monkeypatch, before):
    """It took a tenth of a cold start."""
    searched = []
    monkeypatch.setattr(CompilerBase, "_compile_core", lambda _: searched.append(gc.isenabled()))
    if not before:
        gc.disable()
    try:
        compiler = object.__new__(KernelCompiler)
        compiler.state = SimpleNamespace(targetctx=cpu_target.target_context)
        compiler._compile_core()
        assert gc.isenabled() is before
    finally:
        gc.enable()
    assert searched == [False]


def die_while_compiling() -> None:
    with compile_once("kernels") as first:
        assert first
        raise KeyboardInterrupt


def test_a_process_that_dies_while_compiling_leaves_the_work_to_the_next(tmp_path, monkeypatch):
    monkeypatch.setattr("mpmm_kernels.runtime.cold_start.cache_folder", lambda: tmp_path)
    with pytest.raises(KeyboardInterrupt):
        die_while_compiling()
    with compile_once("kernels") as first:
        assert first
    with compile_once("kernels") as first:
        assert not first
    with compile_once("other kernels") as first:
        assert first


def test_one_context_inside_another_does_not_wait_for_itself(tmp_path, monkeypatch):
    monkeypatch.setattr("mpmm_kernels.runtime.cold_start.cache_folder", lambda: tmp_path)
    with compile_once("network") as first, compile_once("patches") as second:
        assert first
        assert second
    with compile_once("network") as first, compile_once("patches") as second:
        assert not first
        assert not second


def test_a_warm_start_does_not_touch_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("mpmm_kernels.runtime.cold_start.cache_folder", lambda: tmp_path)
    with compile_once("kernels") as first:
        assert first
    monkeypatch.delattr("mpmm_kernels.runtime.cold_start.in_turn")
    with compile_once("kernels") as first:
        assert not first


@pytest.fixture
def fresh_key():
    """The key of what is there now; the one of before is forgotten, and afterwards this one."""

    def key() -> str:
        cache.sources_key.cache_clear()
        return cache.cache_key.__wrapped__()

    yield key
    cache.sources_key.cache_clear()


@pytest.mark.parametrize("changed", ["source", "processor", "Numba", "NUMBA_BOUNDSCHECK", "MPMM_VECTOR_BITS"])
def test_the_key_follows_all_that_the_machine_code_follows(tmp_path, monkeypatch, changed, fresh_key):
    """Numba itself looks only at the file that holds the kernel: a changed helper left stale code behind."""
    for name in ("runtime/cache.py", "convolution/direct/helper.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "runtime" / "cache.py"))
    before = fresh_key()
    assert fresh_key() == before
    if changed == "source":
        (tmp_path / "convolution/direct/helper.py").write_text("x = 1")
    elif changed == "processor":
        monkeypatch.setattr("llvmlite.binding.get_host_cpu_name", lambda: "another")
    elif changed == "Numba":
        monkeypatch.setattr("numba.__version__", "another")
    else:
        monkeypatch.setenv(changed, "another")
    assert fresh_key() != before


def test_threads_do_not_change_the_key(monkeypatch):
    before = cache.cache_key.__wrapped__()
    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    monkeypatch.setenv("NUMBA_THREADING_LAYER", "workqueue")
    assert cache.cache_key.__wrapped__() == before


def folder_used(parent: Path, name: str, hours_ago: float) -> Path:
    folder = parent / f"kernels-{name}"
    folder.mkdir()
    (folder / "code.nbc").write_bytes(b"code")
    used = time.time() - 3600 * hours_ago
    os.utime(folder, (used, used))
    return folder


def test_folders_of_forgotten_versions_are_removed(tmp_path):
    ours = folder_used(tmp_path, "ours", 2000)
    recent = [folder_used(tmp_path, f"recent{i}", 2 + i) for i in range(7)]
    surplus = folder_used(tmp_path, "surplus", 20)
    cache.remove_stale(tmp_path, keep=ours)
    assert ours.exists()
    assert all(folder.exists() for folder in recent)
    assert not surplus.exists()
    month = folder_used(tmp_path, "month", 24 * 31)
    cache.remove_stale(tmp_path, keep=ours)
    assert not month.exists()


def test_a_folder_in_use_is_never_surplus(tmp_path):
    busy = [folder_used(tmp_path, f"busy{i}", 0.1) for i in range(20)]
    cache.remove_stale(tmp_path, keep=busy[0])
    assert all(folder.exists() for folder in busy)


def test_an_unusable_folder_is_passed_over(tmp_path, monkeypatch):
    """A home that cannot be written to (or is a file) must not keep the kernels from compiling."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MPMM_KERNEL_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache.cache_folder.__wrapped__().parent == tmp_path / "home" / "mpmm"


def carried(tmp_path, monkeypatch):
    """A copy of a cache with one file, which this user may not write to, and a home to write to instead."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(
        cache, "usable", lambda folder: tmp_path / "image" not in folder.parents and usable(folder)
    )
    monkeypatch.setenv("MPMM_KERNEL_CACHE", str(tmp_path / "image"))
    folder = tmp_path / "image" / f"kernels-{cache.cache_key()}"
    (folder / "module").mkdir(parents=True)
    (folder / "module" / "code.nbc").write_bytes(b"code")
    (folder / "compiling.lock").touch()
    return folder


usable = cache.usable


def test_a_carried_cache_that_cannot_be_written_to_is_copied(tmp_path, monkeypatch):
    """In an image the cache is root's, and the user's processes still have to add kernels to it."""
    folder = carried(tmp_path, monkeypatch)
    ours = cache.cache_folder.__wrapped__()
    assert ours == tmp_path / "home" / "mpmm" / folder.name
    assert (ours / "module" / "code.nbc").read_bytes() == b"code"
    assert not (ours / "compiling.lock").exists()


def test_a_carried_cache_that_others_may_write_to_is_not_taken(tmp_path, monkeypatch):
    """Machine code is run as it is: whoever may write it may run anything as this user."""
    carried(tmp_path, monkeypatch).chmod(0o777)
    ours = cache.cache_folder.__wrapped__()
    assert list(ours.iterdir()) == []


def test_a_copy_to_carry_holds_all_and_lets_all_read(tmp_path, monkeypatch):
    source = carried(tmp_path, monkeypatch)
    (source / "module").chmod(0o700)
    monkeypatch.setattr(cache, "cache_folder", lambda: source)
    copy = cache.carry_cache(tmp_path / "to")
    assert copy == tmp_path / "to" / source.name
    assert (copy / "module" / "code.nbc").read_bytes() == b"code"
    assert (copy / "module").stat().st_mode & 0o777 == 0o755


def test_a_copy_to_carry_is_without_what_another_process_writes(tmp_path, monkeypatch):
    """Numba's file under way had its own name when it was to be copied, in five of a hundred tries.
    The copy ended in an error, or held half a file for good.
    Right: it is left out.
    """
    source = carried(tmp_path, monkeypatch)
    monkeypatch.setattr(cache, "cache_folder", lambda: source)
    numbas = caching.IndexDataCacheFile(str(source / "module"), "f", "")
    with numbas._open_for_write(source / "module" / "f.nbc"):
        assert len(list((source / "module").iterdir())) == 2
        copy = cache.carry_cache(tmp_path / "to")
    assert [file.name for file in (copy / "module").iterdir()] == ["code.nbc"]
