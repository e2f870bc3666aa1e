"""The same network in PyTorch, functionally, on the same parameters in our layout."""

import numpy as np
import torch
import torch.nn.functional as F

from mpmm.network import EVALUATION, Dropout, JoinSpec

# Its idle workers would spin on the cores that others use.
torch.set_num_threads(1)

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "none": lambda x: x}
POOLS = {"max": F.max_pool3d, "average": F.avg_pool3d, "none": lambda x, window: x}
CHANNELS_LAST = (0, 2, 3, 4, 1)


class Twin:
    """Leaf tensors copied from a network's parameters, and a forward over them."""

    def __init__(self, network, average=0.9):
        self.spec = network.spec
        self.momentum = 1 - average
        self.tensors = {
            name: torch.tensor(parameter.value, requires_grad=parameter.trainable)
            for name, parameter in network.parameters.items()
        }

    def trained(self):
        return {name: tensor for name, tensor in self.tensors.items() if tensor.requires_grad}

    def forward(self, patches, step):
        features = [
            self._stream(stream, torch.tensor(patches[stream.name]), step) for stream in self.spec.streams
        ]
        x = torch.cat(features, dim=1)
        for index, dense in enumerate(self.spec.fusion, 1):
            x = self._dense(f"fusion.block{index}", "", dense.activation, dense.dropout, x, step)
        return self._dense("fusion.output", "", "none", 0, x, step)

    def _stream(self, stream, x, step):
        outputs = [x[:, None]]  # one channel
        for index, (block, sources) in enumerate(zip(stream.blocks, stream.sources(), strict=True), 1):
            compute = self._join if isinstance(block, JoinSpec) else self._block
            read = [outputs[source] for source in sources]
            outputs.append(compute(f"{stream.name}.block{index}", block, *read, step=step))
        x = outputs[-1].permute(*CHANNELS_LAST).flatten(1)
        for index, dense in enumerate(stream.dense, 1):
            x = self._dense(f"{stream.name}.head", index, dense.activation, dense.dropout, x, step)
        return x

    def _join(self, name, block, *inputs, step):
        x = sum(inputs) if block.join == "add" else torch.cat(inputs, dim=1)
        x = ACTIVATIONS[block.activation](self._norm(name, block, x, step))
        return self._dropped(name, block, POOLS[block.pool](x, block.window), step)

    def _block(self, name, block, x, *, step):
        weights = self.tensors[f"{name}.convolution.weights"].permute(4, 3, 0, 1, 2)
        x = F.conv3d(padded(x, block), weights, self.tensors[f"{name}.convolution.bias"], block.stride)
        x = POOLS[block.pool](ACTIVATIONS[block.activation](x), block.window)
        x = ACTIVATIONS[block.after](self._norm(name, block, x, step))
        return self._dropped(name, block, x, step)

    def _norm(self, name, block, x, step):
        if not block.batch_norm:
            return x
        mean, variance, gamma, beta = (
            self.tensors[f"{name}.batchnorm.{part}"] for part in ("mean", "variance", "gamma", "beta")
        )
        return F.batch_norm(x, mean, variance, gamma, beta, step.training, self.momentum, 1e-5)

    def _dropped(self, name, block, x, step):
        if not block.dropout:
            return x
        shape = tuple(x.permute(*CHANNELS_LAST).shape[1:])
        return x * mask(f"{name}.dropout", shape, block.dropout, x, step).permute(0, 4, 1, 2, 3)

    def _dense(self, name, index, activation, rate, x, step):
        weights, bias = (self.tensors[f"{name}.dense{index}.{part}"] for part in ("weights", "bias"))
        x = ACTIVATIONS[activation](x @ weights + bias)
        return x * mask(f"{name}.dropout{index}", x.shape[1:], rate, x, step) if rate else x


def padded(x, block):
    """Zeros around x for "same" padding: ceil(length / stride) outputs, the odd zero after."""
    pads = []
    for length, kernel, stride, mode in zip(
        x.shape[2:], block.kernel, block.stride, block.paddings, strict=True
    ):
        zeros = max((-(-length // stride) - 1) * stride + kernel - length, 0) if mode == "same" else 0
        pads = [zeros // 2, zeros - zeros // 2, *pads]
    return F.pad(x, pads)


def mask(name, shape, rate, x, step):
    """Our own dropout's mask, with its scale 1 / (1 - rate), from a batch of ones."""
    layer = Dropout(name, tuple(shape), rate, "float64")
    ones = np.ones((len(x), *shape))
    return torch.tensor(layer.forward(ones, step if step.training else EVALUATION).copy()).to(x.dtype)
