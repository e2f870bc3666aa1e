"""Random blocks by every method against the plain kernels: ``python tests/campaigns/blocks.py``.

Each build of the kernels (a vector width, or with bounds checked) is a process of its own, with its share of
the blocks; as many run side by side as there are cores, for compiling takes one. A build draws some families
of filters, channels, kernel, stride and sizes, for each of which kernels are compiled, and then blocks of all
other choices in them: so compilation stays a part of the time.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve()
CORES = min(os.cpu_count() or 1, 4)
# environment, and share of the blocks: the checked build takes several times as long for each
BUILDS = {
    # the error reaches the caller only from the main thread
    "bounds checked": ({"NUMBA_BOUNDSCHECK": "1", "MPMM_CAMPAIGN_THREADS": "1"}, 0.1),
    "128 bits": ({"MPMM_VECTOR_BITS": "128"}, 0.3),
    "256 bits": ({"MPMM_VECTOR_BITS": "256"}, 0.3),
    "512 bits": ({"MPMM_VECTOR_BITS": "512"}, 0.3),
}
FILTERS, CHANNELS, DEPTHS = (3, 8, 16, 20, 24, 32), (1, 2, 3, 8, 16, 24), (1, 2, 3, 5, 7)
PLANES = ((1, 1), (2, 2), (3, 3), (3, 3), (4, 4), (5, 5), (3, 2))
STRIDES = ((1, 1, 1),) * 4 + ((2, 1, 1), (1, 2, 2), (2, 2, 2))
WINDOWS = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (3, 1, 1), (2, 1, 2))
# by how much the input may be larger than the kernel
REACH = (24, 8, 8)
# largest error, as a part of the largest element
ALLOWED = {"float32": 5e-5, "float64": 1e-12}


class Family(NamedTuple):
    """The choices that kernels are compiled for; inputs reach over the kernel by ``reaches``, if any."""

    filters: int
    channels: int
    kernel: tuple[int, int, int]
    stride: tuple[int, int, int]
    dtype: str
    reaches: tuple[tuple[int, int, int], ...] = ()


def draw_family(rng, sizes=0):
    """All choices of a family; one channel in a third of them, for whose blocks are methods of their own."""
    if rng.random() < 0.1:
        return draw_along_bands(rng, sizes)
    plane = PLANES[rng.integers(len(PLANES))]
    return Family(
        filters=int(rng.choice(FILTERS)),
        channels=1 if rng.random() < 0.3 else int(rng.choice(CHANNELS)),
        kernel=(int(rng.choice(DEPTHS)), *plane),
        stride=STRIDES[rng.integers(len(STRIDES))],
        dtype="float64" if rng.random() < 0.2 else "float32",
        reaches=tuple(draw_reach(rng) for _ in range(sizes)),
    )


def draw_along_bands(rng, sizes):
    """A family of seven or eleven bands and one pixel, for which there is a method of its own."""
    filters, channels = (int(count) for count in rng.choice((16, 24, 32), 2))
    reaches = tuple(draw_reach(rng) for _ in range(sizes))
    bands = int(rng.choice((7, 11)))
    return Family(filters, channels, (bands, 1, 1), (1, 1, 1), "float32", reaches)


def draw_reach(rng):
    """By how much an input is larger than the kernel."""
    return tuple(int(rng.integers(0, most)) for most in REACH)


def draw_families(seed, count, sizes=0):
    """So many families, each with inputs of so many sizes, any if 0."""
    return [draw_family(np.random.default_rng((seed, i)), sizes) for i in range(count)]


def draw_block(family, rng):
    """Shape of the input and description of a block of the family; None where the draw does not fit."""
    from mpmm_kernels.convolution import ConvolutionBlock, plan_block

    reach = family.reaches[rng.integers(len(family.reaches))] if family.reaches else draw_reach(rng)
    shape = tuple(k + more for k, more in zip(family.kernel, reach, strict=True))
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
    """Compare blocks of families until enough, or the time is over: counts by method, and what was wrong.

    Where rounding decides about a gradient's way, only the output is compared.
    """
    counts, wrong, until = Counter(), [], time.monotonic() + 60 * minutes
    number = 0
    while counts["blocks"] < blocks and time.monotonic() < until:
        number += 1
        rng = np.random.default_rng((seed, len(families), number))
        plain = draw_block(families[number % len(families)], rng)
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
    """Run the builds, as many at once as there are cores, or in a build's process only that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--families", type=int, default=12)
    parser.add_argument("--sizes", type=int, default=2, help="of a family's inputs; 0: any")
    parser.add_argument("--this-build", action="store_true")
    options = parser.parse_args()
    if options.this_build:
        return one_build(options)
    with ThreadPoolExecutor(CORES) as pool:
        return max(pool.map(lambda number: start_build(number, options), range(len(BUILDS))))


def start_build(number, options):
    """A build's process from its start to its end; whether it failed."""
    name, (settings, part) = list(BUILDS.items())[number]
    share = {
        "blocks": round(options.blocks * part),
        "minutes": options.minutes / -(-len(BUILDS) // CORES),
        "seed": options.seed + number,
        "families": options.families,
        "sizes": options.sizes,
    }
    command = [
        sys.executable,
        str(HERE),
        "--this-build",
        *(f"--{key}={value}" for key, value in share.items()),
    ]
    done = subprocess.run(
        command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True, check=False
    )
    print(f"{name}:\n{done.stdout}", end="", flush=True)
    return done.returncode


def one_build(options):
    """Run and report the blocks of this process's build."""
    from mpmm_kernels.runtime import available_threads, set_threads

    set_threads(int(os.environ.get("MPMM_CAMPAIGN_THREADS", available_threads())))
    begin = time.monotonic()
    families = draw_families(options.seed, options.families, options.sizes)
    counts, wrong = campaign(options.blocks, options.minutes, options.seed, families)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"  {told}; {time.monotonic() - begin:.0f} s", flush=True)
    print("\n".join(wrong) or "  none wrong", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[2] / "kernels")]
    sys.exit(main())
