"""The same bits at any number of threads, in one process; and the limits of that number.

Run as a script, the file prints a digest of every parallel kernel's results at 1, 2, 3 and 4 threads.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, Gradients, Operands, block
from mpmm_kernels.groups import group_tree
from mpmm_kernels.layers import activation, batchnorm, dense, dropout, joining
from mpmm_kernels.runtime import available_threads, computing_threads, pin_threads, set_threads, threads_for

COUNTS = (1, 2, 3, 4)
# a process of its own finds these sources, installed or not
OURS = {"PYTHONPATH": os.pathsep.join(sys.path)}


def results(dtype: str) -> Iterator[np.ndarray]:
    """Results of the parallel kernels for fixed inputs, more samples than groups."""
    rng = np.random.default_rng(29)
    for pool in ("max", "average"):
        yield from block_results(pool, dtype, rng)
    x, dy = (rng.standard_normal((21, 33, 12)).astype(dtype) for _ in range(2))
    sums, y, tree = np.empty((21, 2, 12)), np.empty_like(x), group_tree(21)
    (total,) = batchnorm.batchnorm_sums(x, sums, tree)
    yield sums
    affine = batchnorm.Affine(*rng.random((2, 12)).astype(dtype))
    running = batchnorm.BatchStatistics(*np.empty((2, 12), dtype), 1.0)
    summed = batchnorm.BatchTotal(total, 21 * 33)
    by = batchnorm.normalised_by_batch(summed, 1e-5, affine, True, running)
    yield from running[:2]
    batchnorm.normalise(x, by.norm, y)
    yield y
    (total,) = batchnorm.batchnorm_backward_sums(x, dy, by, sums, tree)
    yield total
    batchnorm.batchnorm_backward(x, dy, by, batchnorm.BatchTotal(total, 21 * 33), y, affine)
    yield y
    activation.sigmoid(x, y)
    yield y
    joining.add([x, dy, x], y, relu=True)
    yield y
    dropout.dropout(x, y, dropout.dropout_key(1, "a", 2), 3, 0.5)
    yield y
    weights, gradient = rng.standard_normal((396, 50)).astype(dtype), np.empty((396, 50), dtype)
    z = np.empty((21, 50), dtype)
    dense.dense_forward(x.reshape(21, -1), weights, weights[0].copy(), z, "relu")
    yield z
    dense.dense_backward_weights(x.reshape(21, -1), z, gradient, np.empty(50, dtype))
    yield gradient


def block_results(pool: str, dtype: str, rng: np.random.Generator) -> Iterator[np.ndarray]:
    shape = (6, 7, 8, 3), 8, (3, 3, 3), (1, 1, 1), ("same",) * 3, "relu", pool, (2, 2, 2)
    input_shape, *description = shape
    plan = block.plan_block(input_shape, ConvolutionBlock(*description), dtype, "reference")
    buffers = block.allocate(plan, 21)
    x = rng.standard_normal((21, *plan.input_shape)).astype(dtype)
    w = rng.standard_normal(plan.weights_shape).astype(dtype)
    y = block.forward(plan, buffers, Operands(x, w, w[0, 0, 0, 0].copy()))
    yield y
    dw, db = np.empty_like(w), np.empty(8, dtype)
    yield block.backward(plan, buffers, Operands(x, w, db), Gradients.of_batch(np.cos(y), dw, db), True)
    yield dw
    yield db


def digest(count: int) -> str:
    # these arrays are too small for more than one otherwise
    vars(sys.modules[computing_threads.__module__])["_LEAST_ELEMENTS"] = 0
    set_threads(count)
    total = hashlib.sha256()
    for dtype in ("float32", "float64"):
        for array in results(dtype):
            total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()


def test_the_number_of_threads_does_not_change_a_bit():
    environment = os.environ | {
        "NUMBA_NUM_THREADS": str(max(COUNTS)),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    run = subprocess.run(
        [sys.executable, __file__], env=environment, capture_output=True, text=True, check=True
    )
    digests = dict(line.split() for line in run.stdout.splitlines())
    assert list(digests) == [str(count) for count in COUNTS]
    assert len(set(digests.values())) == 1


@pytest.mark.parametrize("count", [0, available_threads() + 1])
def test_an_impossible_number_of_threads_is_refused(count):
    before = computing_threads()
    with pytest.raises(ValueError, match=f"{count} threads asked for"):
        set_threads(count)
    assert computing_threads() == before


def test_blas_gets_one_thread():
    from threadpoolctl import threadpool_info, threadpool_limits

    before = computing_threads()
    with threadpool_limits(limits=2, user_api="blas"):
        set_threads(1)
        assert computing_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}
    set_threads(before)


@pytest.mark.skipif(available_threads() < 2, reason="needs two threads")
def test_small_arrays_take_one_thread_and_give_the_others_back():
    before = computing_threads()
    set_threads(2)
    with threads_for(1000) as workers:
        assert (workers, computing_threads()) == (1, 1)
    with pytest.raises(ZeroDivisionError), threads_for(1000):
        assert 1 / 0
    with threads_for(1_000_000) as workers:
        assert (workers, computing_threads()) == (2, 2)
    set_threads(before)


PINNED = """
import os
from mpmm_kernels.runtime import pin_threads, set_threads

def kept():
    return sorted(tuple(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task"))

all_of_them = tuple(os.sched_getaffinity(0))
set_threads(2)
pin_threads(all_of_them[1::-1])
print(os.sched_getaffinity(0) == {all_of_them[1]}, (all_of_them[0],) in kept())
"""


@pytest.mark.skipif(
    len(getattr(os, "sched_getaffinity", lambda _: ())(0)) < 2, reason="needs Linux and two cores"
)
def test_each_thread_keeps_to_its_core():
    environment = os.environ | OURS | {"NUMBA_NUM_THREADS": "2"}
    run = subprocess.run(
        [sys.executable, "-c", PINNED], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["True", "True"]


@pytest.mark.parametrize("count", [-1, 1])
def test_a_core_too_many_or_too_few_is_refused(count):
    with pytest.raises(
        ValueError, match=f"{computing_threads() + count} cores for {computing_threads()} threads"
    ):
        pin_threads([0] * (computing_threads() + count))


if __name__ == "__main__":
    for count in COUNTS:
        print(count, digest(count))
