"""Blocks that emitted kernels are compared on with the reference kernels.

Run as a script it compares some of them in a process whose environment says how kernels are compiled.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, Gradients, Operands, block
from mpmm_kernels.runtime import compiled, kept_to_the_end, set_threads
from mpmm_kernels.vector import lanes, load, store

VALID, SAME, SPECTRAL = ("valid",) * 3, ("same",) * 3, ("same", "valid", "valid")
STEP = (1, 1, 1)
# kernels; input, filters, kernel, stride, padding, activation, pool, window
CASES = {
    "first layer": ("direct", ((10, 9, 10, 1), 16, (7, 3, 3), STEP, VALID, "relu", "max", (2, 2, 2))),
    "deep kernel, two vectors": ("direct", ((12, 5, 8, 1), 20, (11, 3, 3), STEP, SAME, "relu", None, STEP)),
    "many channels": ("direct", ((7, 6, 7, 16), 32, (3, 3, 3), STEP, SPECTRAL, "relu", "max", (2, 2, 2))),
    "odd channels, pooled": ("direct", ((6, 7, 8, 3), 20, (2, 3, 3), STEP, SAME, "relu", "max", (2, 2, 2))),
    "odd sizes": ("direct", ((5, 7, 8, 3), 20, (2, 3, 4), STEP, SAME, "none", None, STEP)),
    "strided": ("direct", ((7, 7, 8, 2), 4, (3, 3, 6), (2, 2, 2), SAME, "sigmoid", "average", (2, 1, 2))),
    "strided first": ("direct", ((7, 9, 10, 1), 5, (4, 3, 3), (1, 2, 2), VALID, "relu", "max", (1, 2, 1))),
    "two and four": ("direct", ((9, 5, 10, 2), 4, (3, 3, 7), STEP, SPECTRAL, "relu", None, STEP)),
    "four vectors": ("direct", ((3, 5, 5, 24), 50, (1, 1, 2), STEP, VALID, "relu", "max", (1, 2, 2))),
    "one output": ("direct", ((4, 3, 4, 7), 35, (4, 3, 4), STEP, VALID, "sigmoid", "max", STEP)),
}
WINOGRAD = {
    "F(4x4,3x3)": ("fast", ((5, 10, 9, 16), 32, (3, 3, 3), STEP, VALID, "relu", "max", (1, 2, 2))),
    "F(2x2,3x3), padded depth": (
        "fast",
        ((3, 4, 4, 32), 64, (3, 3, 3), STEP, SPECTRAL, "relu", "max", (3, 1, 1)),
    ),
    "F(3x3,3x3), odd channels": (
        "fast",
        ((4, 9, 9, 14), 35, (2, 3, 3), STEP, SAME, "sigmoid", "average", (2, 1, 2)),
    ),
    "F(2x2,4x4), odd channels": (
        "fast",
        ((4, 7, 8, 20), 24, (3, 4, 4), STEP, VALID, "relu", "max", (2, 2, 2)),
    ),
    "F(3x3,4x4), padded": ("fast", ((3, 9, 9, 16), 16, (2, 4, 4), STEP, SAME, "none", None, STEP)),
    "F(2x2,5x5)": ("fast", ((5, 8, 8, 16), 32, (4, 5, 5), STEP, VALID, "relu", "max", (2, 2, 1))),
    "F(5x5,3x3)": ("fast", ((12, 7, 7, 16), 16, (2, 3, 3), STEP, VALID, "relu", "max", (2, 1, 1))),
    "F(6x6,3x3), odd channels": (
        "fast",
        ((31, 8, 8, 14), 20, (2, 3, 3), STEP, VALID, "sigmoid", "average", (2, 1, 2)),
    ),
    "F(4x4,5x5)": ("fast", ((14, 8, 8, 16), 16, (3, 5, 5), STEP, VALID, "relu", "max", (2, 2, 2))),
}
BANDS = {
    "one channel, F(4x4,3x3)": (
        "fast",
        ((26, 10, 19, 1), 20, (7, 3, 3), STEP, VALID, "relu", "max", (2, 2, 2)),
    ),
    "one channel, F(3x3,3x3)": ("fast", ((5, 9, 9, 1), 32, (4, 3, 3), STEP, SAME, "none", "max", (1, 3, 3))),
    "one channel, F(3x3,4x4)": ("fast", ((6, 9, 9, 1), 16, (4, 4, 4), STEP, SAME, "relu", None, STEP)),
    "one channel, F(4x4,3x3), deep kernel": (
        "fast",
        ((30, 8, 9, 1), 16, (16, 3, 3), STEP, VALID, "relu", None, STEP),
    ),
    "one channel, F(2x2,5x5)": ("fast", ((6, 6, 7, 1), 20, (5, 5, 5), STEP, VALID, "relu", "max", (1, 2, 2))),
    "one channel, F(4x4,5x5)": ("fast", ((6, 8, 9, 1), 20, (5, 5, 5), STEP, VALID, "relu", "max", (1, 2, 2))),
    "one channel, F(4x4,4x4)": (
        "fast",
        ((10, 11, 11, 1), 16, (8, 4, 4), STEP, VALID, "relu", "max", (1, 2, 2)),
    ),
}
# seven bands of one pixel: a tile that is not whole, and several runs of pixels
ALONG_BANDS = {
    "F(8,7), padded": ("fast", ((19, 4, 5, 24), 24, (7, 1, 1), STEP, SPECTRAL, "relu", None, STEP)),
    "F(8,7), two runs": ("fast", ((14, 9, 10, 24), 24, (7, 1, 1), STEP, VALID, "none", "average", (2, 3, 1))),
    "F(8,11), padded": ("fast", ((19, 4, 5, 16), 24, (11, 1, 1), STEP, SPECTRAL, "relu", None, STEP)),
}
CASES |= WINOGRAD | BANDS | ALONG_BANDS
# the same shapes by register blocks of outputs from anywhere in a sample
CASES |= {
    f"{name}, indirect": ("indirect", CASES[name][1])
    for name in (
        "first layer",
        "deep kernel, two vectors",
        "many channels",
        "odd sizes",
        "strided",
        "two and four",
        "four vectors",
        "one output",
    )
}
# an average pool that its kernel makes at inference
CASES["averaged, indirect"] = (
    "indirect",
    ((6, 7, 8, 3), 4, (2, 3, 3), STEP, SAME, "relu", "average", (2, 2, 3)),
)
# kernels of one pixel, whose gradients are made in one pass: of odd channels, and of whole vectors
ONE_PIXEL = {
    "odd channels": ((5, 6, 7, 20), 40, STEP, STEP, VALID, "relu", None, STEP),
    "averaged": ((5, 9, 8, 16), 24, STEP, STEP, VALID, "sigmoid", "average", (2, 4, 3)),
    "whole vectors": ((6, 9, 9, 32), 64, STEP, STEP, SAME, "none", None, STEP),
}
CASES |= {f"one pixel, {name}, indirect": ("indirect", case) for name, case in ONE_PIXEL.items()}
# register blocks of neighbours in depth: rows of whole vectors, and of parts that two or four of them share
DEPTH = {
    "sixteen filters": ((20, 3, 5, 6), 16, (5, 1, 1), STEP, SPECTRAL, "relu", None, STEP),
    "two share, strided": ((33, 4, 6, 3), 24, (5, 2, 2), (2, 1, 2), VALID, "sigmoid", None, STEP),
    "two share": ((41, 4, 5, 8), 24, (3, 2, 2), STEP, SAME, "none", None, STEP),
    "four share, pooled": ((43, 7, 9, 3), 20, (3, 3, 3), STEP, SAME, "relu", "max", (3, 2, 1)),
    "two planes pooled": ((35, 5, 4, 4), 24, (3, 2, 2), STEP, VALID, "none", "max", (2, 2, 2)),
    "half a vector": ((38, 7, 6, 2), 8, (7, 3, 3), STEP, VALID, "relu", "average", (2, 2, 2)),
    "odd filters": ((40, 5, 4, 2), 3, (3, 2, 3), STEP, SPECTRAL, "relu", None, STEP),
    "half a vector, no pool": ((36, 3, 4, 6), 8, (3, 1, 1), STEP, SPECTRAL, "none", None, STEP),
}
CASES |= {f"{name}, depth": ("depth", case) for name, case in DEPTH.items()}
# large ones, never run here
ONLY_PLANNED = {
    "wide lines": ("direct", ((10, 9, 25, 1), 16, (7, 3, 3), STEP, VALID, "relu", "max", (2, 2, 2))),
    "whole scene": ("direct", ((7, 300, 300, 16), 32, STEP, STEP, VALID, "relu", "max", (2, 2, 2))),
}
# some of each method, for tests of more than the right numbers
SOME = (
    "first layer",
    "odd sizes",
    "odd sizes, indirect",
    "strided, indirect",
    "averaged, indirect",
    "two share, depth",
    "four share, pooled, depth",
    "F(2x2,3x3), padded depth",
    "F(2x2,4x4), odd channels",
    "one channel, F(4x4,3x3)",
    "F(8,7), padded",
)
# the fewest to compile again for other widths and with checks: they reach every kernel, at its ends too
REBUILT = (
    "odd channels, pooled",
    "odd sizes",
    "strided, indirect",
    "one pixel, odd channels, indirect",
    "odd filters, depth",
    "F(3x3,3x3), odd channels",
    "F(6x6,3x3), odd channels",
    "one channel, F(4x4,5x5)",
    "F(8,7), padded",
)
# ones whose inference ends with a sum and batch-norm: by their own kernels, and by one behind it
ENDED = "F(8,7), padded", "averaged, indirect", "odd channels, pooled"
# ones whose inference ends with batch-norm alone in the kernel that pools: direct, by tiles, shared by bands
NORMALISED = "odd channels, pooled", "F(3x3,3x3), odd channels", "one channel, F(4x4,5x5)"
# ones that an inference can add to what is there
ADDED = "sixteen filters, depth", "half a vector, no pool, depth", "two share, depth"


def planned(case, dtype, kernels):
    input_shape, *description = case
    return block.plan_block(input_shape, ConvolutionBlock(*description), dtype, kernels)


def each(names):
    """A test for each case; those of one case stay together, for they run the same kernels."""
    grouped = [pytest.param(name, marks=pytest.mark.xdist_group(f"block: {name}")) for name in names]
    return pytest.mark.parametrize("name", grouped)


def plan_of(kernels, case, dtype="float32"):
    """The plan by a choice of kernels, or by the method of a name, whichever the shapes would get."""
    if kernels in ("direct", "indirect", "depth"):
        return replace(planned(case, dtype, "direct"), method=kernels)
    return planned(case, dtype, kernels)


def make(kernels, case, dtype, samples):
    plan = plan_of(kernels, case, dtype)
    rng = np.random.default_rng(7)
    fan_in = np.prod(plan.weights_shape[:4])
    x, w, b, dy = (
        rng.standard_normal(shape).astype(dtype)
        for shape in (
            (samples, *plan.input_shape),
            plan.weights_shape,
            (plan.filters,),
            (samples, *plan.output_shape),
        )
    )
    return plan, x, (w / np.sqrt(fan_in)).astype(dtype), b, dy


def run(kernels, case, dtype="float32", samples=3, buffers=None):
    """Output and gradients of x, w and b; each a copy."""
    plan, x, w, b, dy = make(kernels, case, dtype, samples)
    buffers = buffers or block.allocate(plan, samples)
    dw, db = np.full_like(w, np.nan), np.full_like(b, np.nan)
    y = block.forward(plan, buffers, Operands(x, w, b)).copy()
    dx = block.backward(plan, buffers, Operands(x, w, b), Gradients.of_batch(dy, dw, db), True)
    return y, dx.copy(), dw, db


def errors(kernels, case, dtype="float32", samples=3):
    actual, plain = run(kernels, case, dtype, samples), run("reference", case, dtype, samples)
    return [abs(a - b).max() / abs(b).max() for a, b in zip(actual, plain, strict=True)]


def python(part, **settings):
    """This file run as a script, in an environment with some settings more."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings}
    return subprocess.run(
        [sys.executable, __file__, part], env=variables, capture_output=True, text=True, check=False
    )


def script(part, **settings):
    """Lines that this file prints when run as a script."""
    done = python(part, **settings)
    assert done.returncode == 0, done.stderr[-2000:]
    return tuple(done.stdout.splitlines())


def print_plans():
    for name, (kernels, case) in (CASES | ONLY_PLANNED).items():
        choice = kernels if kernels == "fast" else "direct"
        print(f"{name}: {planned(case, 'float32', choice)}")


def digest(arrays):
    """A fingerprint of arrays' bytes."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]


def unreached():
    """Parallel kernels of blocks, but for the reference ones, that this process has not run."""
    for name, module in list(sys.modules.items()):
        if name.startswith("mpmm_kernels.convolution.") and ".reference" not in name:
            for kernel in vars(module).values():
                if "parallel" in getattr(kernel, "targetoptions", ()) and not kernel.nopython_signatures:
                    yield f"{name}.{kernel.__name__}"


def compare():
    """Demand few errors of cases that run every kernel; print the fingerprints of what they gave."""
    for name in REBUILT:
        actual, plain = run(*CASES[name]), run("reference", CASES[name][1])
        worst = max(abs(a - b).max() / abs(b).max() for a, b in zip(actual, plain, strict=True))
        assert worst < 1e-5, f"{name}: {worst}"
        print(f"{name}: {digest(actual)}")
    print_ended()
    assert not [*unreached()]


def norm_of(mean, scale, beta, dtype, *, relu):
    """Rows by which kernels normalise: (x - mean) * scale + beta, or ReLU of that."""
    return np.array([mean, scale, beta, np.full(len(mean), 0.0 if relu else -np.inf)], dtype)


def run_ended(name):
    """The sum that an inference ends with, and what batch-norm makes of it."""
    plan, x, w, b, dy = make(*CASES[name], "float32", 3)
    mean, scale, beta = np.random.default_rng(5).standard_normal((3, plan.filters), "float32")
    norm, apart = norm_of(mean, scale, beta, "float32", relu=True), np.empty_like(dy)
    return block.infer(plan, block.allocate(plan, 3), Operands(x, w, b, norm, (dy,), apart)), apart


def run_normalised(name):
    """What an inference ends with that is normalised alone; a norm apart for each channel."""
    plan, x, w, b, _ = make(*CASES[name], "float32", 3)
    mean, scale, beta = np.random.default_rng(6).standard_normal((3, plan.filters), "float32")
    norm = norm_of(mean, scale, beta, "float32", relu=False)
    return [block.infer(plan, block.allocate(plan, 3), Operands(x, w, b, norm))]


def run_added(name):
    """What an inference makes of an array that it adds its output to."""
    plan, x, w, b, dy = make(*CASES[name], "float32", 3)
    return block.infer(plan, block.allocate(plan, 3), Operands(x, w, b, onto=dy))


# what inferences end with, by the word for it, and the cases of each
ENDINGS = {"ended": (run_ended, ENDED), "normalised": (run_normalised, NORMALISED)}


def print_ended():
    """Print the fingerprints of what some inferences end with, and of what one of them adds to."""
    for word, (inference, names) in ENDINGS.items():
        for name in names:
            print(f"{name}, {word}: {digest(inference(name))}")
    print(f"{ADDED[-1]}, added: {digest([run_added(ADDED[-1])])}")


def bits():
    """Print the fingerprints of what cases that run every kernel give."""
    for name in REBUILT:
        print(f"{name}: {digest(run(*CASES[name]))}")
    print_ended()
    assert not [*unreached()]


def threads():
    """Demand the same bits of any number of threads; print their fingerprints."""
    for name in dict.fromkeys(SOME + REBUILT):
        results = []
        for count in (1, 2, 4):
            set_threads(count)
            results.append([array.tobytes() for array in run(*CASES[name], samples=11)])
        assert results[0] == results[1] == results[2], name
        print(f"{name}: {digest(run(*CASES[name]))}")
    for inference, names in ENDINGS.values():
        for name in names:
            results = []
            for count in (1, 2, 4):
                set_threads(count)
                results.append([array.tobytes() for array in inference(name)])
            assert results[0] == results[1] == results[2], name
    print_ended()


@compiled
def read_past(array):
    store(array, 1, load(array, 0))


def overrun():
    try:
        read_past(np.zeros(lanes("float32"), "float32"))
    except IndexError:
        print("refused")


if __name__ == "__main__":
    parts = {"compare": compare, "bits": bits, "plans": print_plans, "threads": threads, "overrun": overrun}
    # what Numba leaves of thirty kernels may stay: to look through it took a twelfth of the time
    with kept_to_the_end():
        parts[sys.argv[1]]()
