"""Random blocks by every method against the plain kernels: ``python tests/campaigns/blocks.py``.

Each build of the kernels (a vector width, or with bounds checked) is a process of its own, and takes its
share of blocks and minutes. A build draws some families of filters, channels, kernel and stride, for each of
which kernels are compiled, and then blocks of all other choices in them: so compilation stays a part of the
time.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve()
BUILDS = {
    "128 bits": {"MPMM_VECTOR_BITS": "128"},
    "256 bits": {"MPMM_VECTOR_BITS": "256"},
    "512 bits": {"MPMM_VECTOR_BITS": "512"},
    # the error reaches the caller only from the main thread
    "bounds checked": {"NUMBA_BOUNDSCHECK": "1", "MPMM_CAMPAIGN_THREADS": "1"},
}
FILTERS, CHANNELS, DEPTHS = (3, 8, 16, 20, 24, 32), (1, 2, 3, 8, 16, 24), (1, 2, 3, 5, 7)
PLANES = ((1, 1), (2, 2), (3, 3), (3, 3), (4, 4), (5, 5), (3, 2))
STRIDES = ((1, 1, 1),) * 4 + ((2, 1, 1), (1, 2, 2), (2, 2, 2))
WINDOWS = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (3, 1, 1), (2, 1, 2))
# largest error, as a part of the largest element
ALLOWED = {"float32": 5e-5, "float64": 1e-12}


class Family(NamedTuple):
    """The choices that kernels are compiled for."""

    filters: int
    channels: int
    kernel: tuple[int, int, int]
    stride: tuple[int, int, int]
    dtype: str


def draw_family(rng):
    """Filters, channels, kernel and stride; one channel in a third of them, for whose blocks are methods."""
    plane = PLANES[rng.integers(len(PLANES))]
    return Family(
        filters=int(rng.choice(FILTERS)),
        channels=1 if rng.random() < 0.3 else int(rng.choice(CHANNELS)),
        kernel=(int(rng.choice(DEPTHS)), *plane),
        stride=STRIDES[rng.integers(len(STRIDES))],
        dtype="float64" if rng.random() < 0.2 else "float32",
    )


def draw_block(family, rng):
    """Shape of the input and description of a block of the family; None where the draw does not fit."""
    from mpmm_kernels.convolution import ConvolutionBlock, plan_block

    shape = tuple(int(k + rng.integers(0, most)) for k, most in zip(family.kernel, (24, 8, 8), strict=True))
    pool = (None, "max", "max", "average")[rng.integers(4)]
    block = ConvolutionBlock(
        filters=family.filters,
        kernel=family.kernel,
        stride=family.stride,
        padding=tuple(("valid", "same")[i] for i in rng.integers(0, 2, 3)),
        activation=("none", "relu", "sigmoid")[rng.integers(3)],
        pool=pool,
        window=WINDOWS[rng.integers(len(WINDOWS))] if pool else (1, 1, 1),
    )
    try:
        return plan_block((*shape, family.channels), block, family.dtype, "reference")
    except ValueError:
        return None


def plans_of(plain):
    """The plan by each method that offers itself for it."""
    from mpmm_kernels.convolution.methods import METHODS

    for name, method in METHODS.items():
        detail = None if name == "reference" else method.offer(plain)
        if detail is not None:
            yield replace(plain, method=name, detail=detail)


def draw_arrays(plan, rng):
    """A batch of inputs, weights, bias and the output's gradient, in double precision."""
    samples = int(rng.integers(1, 12))
    fan_in = np.prod(plan.weights_shape[:4])
    return (
        rng.standard_normal((samples, *plan.input_shape)),
        rng.standard_normal(plan.weights_shape) / np.sqrt(fan_in),
        rng.standard_normal(plan.filters) / 2,
        rng.standard_normal((samples, *plan.output_shape)),
    )


def run(plan, arrays):
    """Output and gradients of x, w and b."""
    from mpmm_kernels.convolution import Gradients, Operands, block

    x, w, b, dy = (np.ascontiguousarray(array, plan.dtype) for array in arrays)
    buffers = block.allocate(plan, len(x))
    dw, db = np.full_like(w, np.nan), np.full_like(b, np.nan)
    y = block.forward(plan, buffers, Operands(x, w, b)).copy()
    dx = block.backward(plan, buffers, Operands(x, w, b), Gradients.of_batch(dy, dw, db), True)
    return y, dx.copy(), dw, db


def is_near_tie(plain, arrays):
    """Whether rounding decides for some output which element of a window is the largest, or a ReLU's side."""
    if plain.pool != "max" and plain.activation != "relu":
        return False
    bare = replace(
        plain,
        activation="none",
        pool=None,
        window=(1, 1, 1),
        output_shape=plain.convolved_shape,
        dtype="float64",
    )
    dy = np.zeros((len(arrays[0]), *bare.output_shape))
    z = run(bare, (*arrays[:3], dy))[0]
    near = 4 * ALLOWED[plain.dtype] * abs(z).max()
    if plain.activation == "relu" and (abs(z) < near).any():
        return True
    return plain.pool == "max" and bool((gaps(z, plain) < near).any())


def gaps(z, plain):
    """How far the largest element of each window is above the next."""
    depth, rows, columns = (n * k for n, k in zip(plain.output_shape[:3], plain.window, strict=True))
    cut = z[:, :depth, :rows, :columns]
    (d, r, c), (kd, kr, kc) = plain.output_shape[:3], plain.window
    windows = cut.reshape(len(z), d, kd, r, kr, c, kc, -1).transpose(0, 1, 3, 5, 7, 2, 4, 6)
    values = np.sort(windows.reshape(*windows.shape[:5], -1), axis=-1)
    return values[..., -1] - values[..., -2] if values.shape[-1] > 1 else np.full(1, np.inf)


def errors(actual, expected):
    """Of each array, the largest error as a part of the largest element; infinite for what is no number."""
    for a, b in zip(actual, expected, strict=True):
        error = abs(a - b).max() / max(abs(b).max(), 1e-30)
        yield float(error) if np.isfinite(error) else np.inf


def campaign(blocks, minutes, seed, families):
    """Compare blocks until there are enough, or the time is over: counts by method, and what was wrong.

    Where rounding decides about a gradient's way, only the output is compared.
    """
    counts, wrong, until = Counter(), [], time.monotonic() + 60 * minutes
    pool = [draw_family(np.random.default_rng((seed, i))) for i in range(families)]
    number = 0
    while counts["blocks"] < blocks and time.monotonic() < until:
        number += 1
        rng = np.random.default_rng((seed, families, number))
        plain = draw_block(pool[number % families], rng)
        if plain is None:
            continue
        arrays = draw_arrays(plain, rng)
        expected = run(replace(plain, dtype="float64"), arrays)
        near = is_near_tie(plain, arrays)
        counts["blocks"] += 1
        counts["near ties"] += near
        for plan in plans_of(plain):
            worst = max(list(errors(run(plan, arrays), expected))[: 1 if near else None])
            counts[plan.method] += 1
            if worst > ALLOWED[plan.dtype]:
                wrong.append(f"seed {seed}, number {number}, error {worst:.2g}: {plan}, {plan!r}")
    return counts, wrong


def main():
    """Run all builds one after the other, or in a build's process only that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", type=int, default=12)
    parser.add_argument("--this-build", action="store_true")
    options = parser.parse_args()
    if options.this_build:
        return one_build(options)
    failed = 0
    for i, (name, settings) in enumerate(BUILDS.items()):
        share = {
            "blocks": -(-options.blocks // len(BUILDS)),
            "minutes": options.minutes / len(BUILDS),
            "seed": options.seed + i,
            "families": options.families,
        }
        arguments = [f"--{key}={value}" for key, value in share.items()]
        print(f"{name}:", flush=True)
        command = [sys.executable, str(HERE), "--this-build", *arguments]
        failed |= subprocess.run(command, env={**os.environ, **settings}, check=False).returncode
    return failed


def one_build(options):
    """Run and report the blocks of this process's build."""
    from mpmm_kernels.runtime import available_threads, set_threads

    set_threads(int(os.environ.get("MPMM_CAMPAIGN_THREADS", available_threads())))
    counts, wrong = campaign(options.blocks, options.minutes, options.seed, options.families)
    print("  " + ", ".join(f"{count} {name}" for name, count in counts.items()), flush=True)
    print("\n".join(wrong) or "  none wrong", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[2] / "kernels")]
    sys.exit(main())
