"""Where machine code is filed: by module and line for functions of this package only."""

import os
import pickle
import subprocess
import sys
import types

import numpy as np
import pytest
from mpmm_kernels.layers import activation, softmax
from mpmm_kernels.runtime import all_on_disk, cache, compiled
from mpmm_kernels.runtime.loaded_code import environment_of, only_run_code_read
from mpmm_kernels.runtime.locator import ContentLocator
from numba.core.errors import NumbaWarning


def located(function, file="anywhere.py"):
    return ContentLocator.from_function(function, file)


def function_of(module):
    """A function that says it is a module's."""

    def nothing():
        return None

    nothing.__module__ = module
    return nothing


def test_a_modules_code_lies_in_a_folder_named_after_the_module():
    path = located(function_of("mpmm_kernels.layers.softmax")).get_cache_path()
    assert path == str(cache.cache_folder() / "mpmm_kernels.layers.softmax")


def test_the_sources_path_makes_no_difference():
    function = function_of("mpmm_kernels.layers.softmax")
    here, there = located(function, "/here/softmax.py"), located(function, "/there/softmax.py")
    assert here.get_cache_path() == there.get_cache_path()
    assert here.get_source_stamp() == there.get_source_stamp() == cache.cache_key()


def test_functions_of_one_name_are_told_apart_by_their_lines():
    def first():
        return 1

    def second():
        return 2

    first.__module__ = second.__module__ = "mpmm_kernels.layers"
    first.__name__ = second.__name__ = "step"
    assert located(first).get_disambiguator() == str(first.__code__.co_firstlineno)
    assert located(first).get_disambiguator() != located(second).get_disambiguator()


@pytest.mark.parametrize("module", ["numpy", "mpmm", "mpmm_kernels_of_others", "tests.mpmm_kernels"])
def test_functions_of_other_packages_have_no_folder_here(module):
    assert located(function_of(module)) is None


def test_public_functions_of_this_package_are_located_by_their_own_module():
    assert located(activation.relu).module == "mpmm_kernels.layers.activation"
    assert located(softmax.cross_entropy).module == "mpmm_kernels.layers.softmax"
    assert located(np.broadcast_shapes) is None


def test_a_kernel_that_cannot_be_kept_is_warned_of_where_it_stands(tmp_path, monkeypatch):
    """Numba's warning ended in an error about the locator."""
    monkeypatch.setattr("mpmm_kernels.runtime.locator.cache_folder", lambda: tmp_path)
    # Numba writes the address of a large array into the code
    table = np.arange(200_000)

    def looked_up(index):
        return table[index]

    looked_up.__module__ = "mpmm_kernels.layers"
    with pytest.warns(NumbaWarning, match='Cannot cache compiled function "looked_up"') as warned:
        assert compiled(looked_up)(3) == 3
    assert warned[0].filename == __file__
    assert not list(tmp_path.rglob("*.nb*"))


# Computes on a disk on which no file holds a byte, and prints what comes out.
FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
import numpy as np
from mpmm_kernels.layers.activation import relu, relu_backward
x, y, dx = np.array([[-1.0, 2.0]]), np.empty((1, 2)), np.empty((1, 2))
relu(x, y)
relu_backward(y, x, dx)
print(y.tolist(), dx.tolist())
"""


def test_machine_code_that_cannot_be_written_is_used_all_the_same(tmp_path):
    """A full disk of the cache ended a run with an error that named no file."""
    environment = os.environ | {"MPMM_KERNEL_CACHE": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", FULL], env=environment, capture_output=True, text=True)
    assert done.stdout == "[[0.0, 2.0]] [[0.0, 2.0]]\n", done.stderr
    assert done.stderr.count("every start compiles anew") == 1, done.stderr
    assert f"kernel cache {cache_below(tmp_path)}" in done.stderr


def cache_below(folder):
    """The folder of this package's machine code in a cache."""
    return folder / f"kernels-{cache.cache_key()}"


# Runs a kernel that is on disk, then compiles one that calls it: how often LLVM reads code of its language.
LOADING = """
import sys
import llvmlite.binding
import numba
import numpy as np
from mpmm_kernels.layers import softmax
from numba.core.runtime import rtsys

read, parse = [], llvmlite.binding.parse_bitcode
llvmlite.binding.parse_bitcode = lambda code: read.append(len(code)) or parse(code)

@numba.njit
def twice(logits):
    softmax.softmax(logits, logits)
    softmax.softmax(logits, logits)

logits = np.zeros((2, 3))
softmax.softmax(logits, logits)
hits, compiles = softmax.softmax.stats.cache_hits.total(), "numba.np.arraymath" in sys.modules or rtsys._init
print(logits[0, 0] * 3, hits, compiles, len(read))
logits[:] = 0
twice(logits)
print(logits[0, 0] * 3, softmax.softmax.stats.cache_misses.total(), len(read))
"""


def test_code_that_is_there_is_loaded_without_what_compiles():
    """Numba imported all of its own implementations before it looked for machine code on disk.

    It compiled its memory manager, and had LLVM read what only a kernel that is compiled links.
    """
    softmax.softmax(np.zeros((2, 3)), np.zeros((2, 3)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", LOADING], env=environment, capture_output=True, text=True)
    loaded, linked = done.stdout.splitlines()
    assert loaded.split() == ["1.0", "1", "False", "0"], done.stderr
    assert linked.split() == ["1.0", "0", "1"], done.stderr


def test_no_module_is_imported_for_a_function_that_was_linked_into_a_kernel():
    """Every rank's start imported Numba's implementations of arrays and texts, which nothing in it called."""
    kept = environment_of("no.such.module", ["constant"], "_ZN08NumbaEnv4kept")
    code = pickle.dumps(kept)
    assert environment_of("no.such.module", [], kept.env_name) is kept
    name = kept.env_name
    del kept
    with only_run_code_read(types.SimpleNamespace()):
        loaded = pickle.loads(code)
    assert (loaded.env_name, loaded.consts) == (name, ["constant"])
    assert "no" not in sys.modules
    with pytest.raises(ModuleNotFoundError):
        pickle.loads(code.replace(name.encode(), name.encode()[:-1] + b"x"))


def test_what_is_not_on_disk_is_missed_and_not_compiled():
    """Whoever starts processes to compile must know first that there is something to compile."""
    doubles, whole = np.zeros((2, 3)), np.zeros((2, 3), np.int64)
    softmax.softmax(doubles, doubles)
    before = list(softmax.softmax.signatures)
    assert all_on_disk(lambda: softmax.softmax(doubles, doubles))
    assert not all_on_disk(lambda: softmax.softmax(whole, whole))
    assert softmax.softmax.signatures == before
    with pytest.raises(ZeroDivisionError):
        all_on_disk(lambda: 1 // 0)
