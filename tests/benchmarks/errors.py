"""Largest error of each kernel in float32 against plain kernels in float64.

On the `paper` network's blocks, and on shapes that bring the other tiles of Winograd and narrow vectors.

python tests/benchmarks/errors.py
"""

import numpy as np
from mpmm_kernels.convolution import BlockPlan, ConvolutionBlock, Gradients, Operands, block

VALID, SPECTRAL = ("valid",) * 3, ("same", "valid", "valid")
BLOCKS = {
    "hsi 1": ((48, 25, 25, 1), 16, (7, 3, 3), VALID, (2, 2, 2)),
    "hsi 2": ((21, 11, 11, 16), 32, (5, 3, 3), VALID, (2, 2, 2)),
    "hsi 3": ((8, 4, 4, 32), 64, (3, 3, 3), VALID, (2, 1, 1)),
    "rgb 2": ((3, 11, 11, 16), 32, (3, 3, 3), SPECTRAL, (1, 2, 2)),
    "3x3, tiles of 3": ((10, 11, 11, 16), 32, (5, 3, 3), VALID, (2, 3, 3)),
    "4x4": ((22, 8, 8, 16), 32, (3, 4, 4), VALID, (2, 2, 2)),
    "4x4, tiles of 3": ((22, 9, 9, 16), 32, (3, 4, 4), VALID, (2, 3, 3)),
    # not pooled: of two elements nearly equal another one may win, which moves its whole gradient
    "5x5": ((30, 12, 12, 32), 32, (16, 5, 5), VALID, (1, 1, 1)),
    "tiles of 5": ((20, 7, 7, 16), 32, (3, 3, 3), VALID, (1, 1, 1)),
    "tiles of 6": ((36, 8, 8, 16), 32, (5, 3, 3), VALID, (1, 1, 1)),
    "bands, 4x4, deep": ((60, 27, 27, 1), 32, (32, 4, 4), VALID, (1, 2, 2)),
    "few filters": ((30, 15, 15, 1), 8, (7, 3, 3), VALID, (1, 1, 1)),
    "narrow": ((51, 3, 3, 20), 35, (3, 3, 3), SPECTRAL, (1, 1, 1)),
    "seven bands": ((97, 4, 4, 24), 24, (7, 1, 1), SPECTRAL, (1, 1, 1)),
    "eleven bands": ((64, 5, 5, 16), 16, (11, 1, 1), SPECTRAL, (1, 1, 1)),
}
SAMPLES = 8


def plan_of(name: str, dtype: str, kernels: block.Kernels) -> BlockPlan:
    shape, filters, kernel, padding, window = BLOCKS[name]
    # an element within rounding of a floor would move its whole gradient, as another winner of a window does
    activation = "none" if window == (1, 1, 1) else "relu"
    return block.plan_block(
        shape,
        ConvolutionBlock(filters, kernel, (1, 1, 1), padding, activation, "max", window),
        dtype,
        kernels,
    )


def run(name: str, dtype: str, kernels: block.Kernels) -> list[np.ndarray]:
    """Output and gradients of input, weights and bias, for numbers that float32 holds exactly."""
    plan = plan_of(name, dtype, kernels)
    rng = np.random.default_rng(3)
    fan_in = np.prod(plan.weights_shape[:4])
    x = rng.standard_normal((SAMPLES, *plan.input_shape), "float32").astype(dtype)
    w = (rng.standard_normal(plan.weights_shape, "float32") / np.float32(fan_in**0.5)).astype(dtype)
    b = rng.standard_normal(plan.filters, "float32").astype(dtype)
    dy = rng.standard_normal((SAMPLES, *plan.output_shape), "float32").astype(dtype)
    buffers = block.allocate(plan, SAMPLES)
    dw, db = np.empty_like(w), np.empty_like(b)
    y = block.forward(plan, buffers, Operands(x, w, b)).copy()
    dx = block.backward(plan, buffers, Operands(x, w, b), Gradients.of_batch(dy, dw, db), True)
    assert dx is not None
    return [y, dx.copy(), dw, db]


def main() -> None:
    """Print the table."""
    print(f"{'block':16} {'kernel':26} {'output':>9} {'d input':>9} {'d weights':>9} {'d bias':>9}")
    for name in BLOCKS:
        exact = run(name, "float64", "reference")
        seen = set()
        for kernels in ("fast", "direct", "reference"):
            method = str(plan_of(name, "float32", kernels))
            if method in seen:
                continue
            seen.add(method)
            found = run(name, "float32", kernels)
            worst = [abs(a - e).max() / abs(e).max() for a, e in zip(found, exact, strict=True)]
            print(f"{name:16} {method:26} " + " ".join(f"{error:9.1e}" for error in worst))


if __name__ == "__main__":
    main()
