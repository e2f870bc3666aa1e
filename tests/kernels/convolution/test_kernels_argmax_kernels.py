"""The weights' gradient by argmax alone, step by step and as a whole, against plain loops over windows."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, argmax_gradient, plan_block
from mpmm_kernels.convolution.argmax_gradient.kernels import take_gradient
from mpmm_kernels.convolution.operands import Gradients
from mpmm_kernels.convolution.shared.arguments import CoreGradient
from mpmm_kernels.convolution.shared.geometry import Pooled
from mpmm_kernels.convolution.shared.pooling import OutputSide
from mpmm_kernels.groups import group_tree
from mpmm_kernels.vector import lanes

SAME = ("same",) * 3
BLOCKS = {
    "several channels": ((4, 6, 5, 3), ConvolutionBlock(4, (2, 2, 2), pool="max", window=(1, 2, 2))),
    "one channel": ((9, 6, 7, 1), ConvolutionBlock(3, (5, 3, 3), pool="max", window=(2, 2, 2))),
    "no pool": ((17, 5, 5, 1), ConvolutionBlock(2, (7, 3, 3))),
    "padded, strided": (
        (6, 7, 7, 2),
        ConvolutionBlock(3, (3, 2, 3), (2, 1, 2), SAME, pool="max", window=(2, 1, 2)),
    ),
}
DTYPES = ["float32", "float64"]


class Problem:
    """A batch whose argmax is drawn, not computed: any position of a window may be the largest."""

    def __init__(self, case, dtype, samples, activation="relu"):
        shape, block = BLOCKS[case]
        self.plan = plan_block(shape, block, dtype, "reference")
        rng = np.random.default_rng(6)
        padded = -(-block.filters // lanes(dtype)) * lanes(dtype)
        outputs = (samples, *self.plan.output_shape)
        self.x = rng.standard_normal((samples, *shape)).astype(dtype)
        self.dy = rng.standard_normal(outputs).astype(dtype)
        self.y = np.where(rng.random(outputs) < 0.3, 0, rng.random(outputs) + 0.1).astype(dtype)
        self.argmax = np.zeros((*outputs[:4], padded), "uint8")
        self.argmax[..., : block.filters] = rng.integers(0, np.prod(block.window), outputs)

    def gradient(self, tree=None):
        """Gradients of weights and bias by the kernels: a sum for each node of the tree."""
        from dataclasses import replace

        plan = replace(self.plan, activation="relu")
        tree = tree or group_tree(len(self.x))
        nodes = len(tree.nodes)
        dw = np.full((nodes, *plan.weights_shape), np.nan, plan.dtype)
        db = np.full((nodes, plan.filters), np.nan, plan.dtype)
        # without a pool nobody writes down where the largest elements are
        argmax = self.argmax.reshape(-1)[: 0 if plan.pool is None else None]
        side = CoreGradient(y=self.y.reshape(-1), dy=self.dy.reshape(-1), argmax=argmax)
        buffers = argmax_gradient.allocate(plan)
        argmax_gradient.weight_gradient(plan, buffers, self.x, side, Gradients(self.dy, dw, db, tree))
        return dw, db

    def expected(self):
        """For every output above the floor, the sample around its largest element times its gradient."""
        plan = self.plan
        after = [
            (0, max((c - 1) * s + k - b - n, 0))
            for c, s, k, b, n in zip(
                plan.convolved_shape, plan.stride, plan.kernel, plan.before, plan.input_shape, strict=False
            )
        ]
        pads = [(b, a[1]) for b, a in zip(plan.before, after, strict=True)]
        x = np.pad(self.x.astype(float), [(0, 0), *pads, (0, 0)])
        dw, db = np.zeros(plan.weights_shape), np.zeros(plan.filters)
        for n, d, r, c, f in np.ndindex(*self.dy.shape):
            if self.y[n, d, r, c, f] <= 0:
                continue
            inside = np.unravel_index(self.argmax[n, d, r, c, f], plan.window)
            corner = [
                (o * w + i) * s
                for o, w, i, s in zip((d, r, c), plan.window, inside, plan.stride, strict=True)
            ]
            around = tuple(slice(a, a + k) for a, k in zip(corner, plan.kernel, strict=True))
            dw[..., f] += x[(n, *around)] * float(self.dy[n, d, r, c, f])
            db[f] += self.dy[n, d, r, c, f]
        return dw, db


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("samples", [1, 11])
@pytest.mark.parametrize("case", BLOCKS)
def test_weights_are_the_samples_around_the_largest_elements(case, samples, dtype):
    problem = Problem(case, dtype, samples)
    (dw, db), (expected_dw, expected_db) = problem.gradient(), problem.expected()
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(dw[0], expected_dw, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(db[0], expected_db, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", BLOCKS)
def test_a_shard_leaves_the_sum_of_its_own_samples(case):
    """The second half of a batch, with the groups it has there, against the same samples alone."""
    problem = Problem(case, "float64", 16)
    for part, first in ((slice(0, 8), 0), (slice(8, 16), 8)):
        half = Problem(case, "float64", 16)
        half.x, half.y, half.dy, half.argmax = (
            array[part] for array in (problem.x, problem.y, problem.dy, problem.argmax)
        )
        dw, db = half.gradient(group_tree(8, 16, first))
        expected_dw, expected_db = half.expected()
        assert len(dw) == len(db) == 1
        np.testing.assert_allclose(dw[0], expected_dw, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(db[0], expected_db, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [2, 19])
def test_gradients_pass_where_the_output_is_above_the_floor(channels, dtype):
    padded = -(-channels // lanes(dtype)) * lanes(dtype)
    pooled = Pooled(1, 2, 3, channels, 1, 2, 2, padded)
    rng = np.random.default_rng(2)
    y, dy = (rng.integers(-2, 3, (6, channels)).astype(dtype) for _ in range(2))
    gradient, db = np.full((4, padded), 7, dtype), np.ones(padded, dtype)
    side = OutputSide(y.reshape(-1), dy.reshape(-1), np.zeros(0, "uint8"), db)
    take_gradient(side, 2, 3, np.dtype(dtype).type(-1), gradient.reshape(-1), pooled)
    expected = np.where(y > -1, dy, 0)[2:5]
    np.testing.assert_array_equal(gradient[:3, :channels], expected)
    assert not gradient[:3, channels:].any()
    assert (gradient[3] == 7).all()
    np.testing.assert_array_equal(db[:channels], 1 + expected.sum(0))
    assert (db[channels:] == 1).all()
