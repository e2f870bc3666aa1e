"""The convolution blocks of the `paper` network one by one, ours beside PyTorch's."""

import numpy as np
from mpmm_kernels.convolution import ConvolutionBlock, Gradients, Operands, block
from step_timing import in_turn

BATCH = 40
VALID, SPECTRAL = ("valid",) * 3, ("same", "valid", "valid")
# input, filters, kernel, padding, window
SHAPES = {
    "hsi 1": ((48, 25, 25, 1), 16, (7, 3, 3), VALID, (2, 2, 2)),
    "hsi 2": ((21, 11, 11, 16), 32, (5, 3, 3), VALID, (2, 2, 2)),
    "hsi 3": ((8, 4, 4, 32), 64, (3, 3, 3), VALID, (2, 1, 1)),
    "rgb 1": ((3, 25, 25, 1), 16, (3, 3, 3), SPECTRAL, (1, 2, 2)),
    "rgb 2": ((3, 11, 11, 16), 32, (3, 3, 3), SPECTRAL, (1, 2, 2)),
    "rgb 3": ((3, 4, 4, 32), 64, (3, 3, 3), SPECTRAL, (3, 1, 1)),
}


class Layer:
    """One block with its plan and random arrays; ``both`` is forward and backward."""

    def __init__(self, shape, filters, kernel, padding, window, kernels):
        convolution = ConvolutionBlock(filters, kernel, (1, 1, 1), padding, "relu", "max", window)
        self.plan = plan = block.plan_block(shape, convolution, "float32", kernels)
        rng = np.random.default_rng(0)
        shapes = (BATCH, *plan.input_shape), plan.weights_shape, (filters,), (BATCH, *plan.output_shape)
        self.x, self.w, self.b, self.dy = (rng.standard_normal(each, dtype="float32") for each in shapes)
        self.dw, self.db, self.buffers = (
            np.empty_like(self.w),
            np.empty_like(self.b),
            block.allocate(plan, BATCH),
        )

    @property
    def operations(self):
        """Multiplications and additions of a direct forward pass, all outputs of the convolution counted."""
        return 2 * BATCH * int(np.prod(self.plan.convolved_shape)) * int(np.prod(self.plan.weights_shape[:4]))

    def forward(self):
        block.forward(self.plan, self.buffers, Operands(self.x, self.w, self.b))

    def both(self):
        self.forward()
        operands, gradients = Operands(self.x, self.w, self.b), Gradients.of_batch(self.dy, self.dw, self.db)
        block.backward(self.plan, self.buffers, operands, gradients, self.plan.input_shape[3] > 1)


def measure_layers(rounds):
    """Of each block: methods, operations of a forward pass, (median, least) seconds of each rival."""
    from step_pytorch import layer

    found = {}
    for name, shape in SHAPES.items():
        fast, direct = Layer(*shape, "fast"), Layer(*shape, "direct")
        theirs = layer(fast.plan, fast.x, fast.w, fast.b, fast.dy)
        rivals = {"fast": fast, "direct": direct} if str(fast.plan) != str(direct.plan) else {"fast": fast}
        forward = {key: each.forward for key, each in rivals.items()} | {"PyTorch": theirs[0]}
        both = {key: each.both for key, each in rivals.items()} | {"PyTorch": theirs[1]}
        found[name] = {
            "methods": {key: str(each.plan) for key, each in rivals.items()},
            "operations": fast.operations,
            "backward": 2 if shape[0][3] > 1 else 1,
            "forward": in_turn(forward, rounds),
            "both": in_turn(both, rounds),
        }
    return found
