"""A network and its training step in PyTorch, as fast as it gets on a CPU in float32."""

import math

import torch
from torch import nn

from mpmm.network import JoinSpec

LAST = torch.channels_last_3d
FORMATS = {"channels last": LAST, "contiguous": torch.contiguous_format}
_ACTIVATIONS = {"relu": lambda: nn.ReLU(inplace=True), "sigmoid": nn.Sigmoid, "none": nn.Identity}
_POOLS = {"max": nn.MaxPool3d, "average": nn.AvgPool3d}


class Convolution(nn.Conv3d):
    """Our convolution; where its zeros differ before and after an axis they are added beforehand."""

    def __init__(self, channels, block, volume):
        axes = zip(volume, block.kernel, block.stride, block.paddings, strict=True)
        zeros = [
            max((-(-length // step) - 1) * step + kernel - length, 0) if mode == "same" else 0
            for length, kernel, step, mode in axes
        ]
        self.even = not any(count % 2 for count in zeros)
        before = tuple(count // 2 for count in zeros) if self.even else 0
        super().__init__(channels, block.filters, block.kernel, block.stride, before)
        self.around = [side for count in reversed(zeros) for side in (count // 2, count - count // 2)]

    def forward(self, x):
        return super().forward(x if self.even else nn.functional.pad(x, self.around))


class Flatten(nn.Module):
    """Features in the order they have in memory, without copying; or, to compare, in that of ours."""

    def __init__(self, last):
        super().__init__()
        self.last = last

    def forward(self, x):
        return (x.permute(0, 2, 3, 4, 1) if self.last else x).flatten(1)


def _block(name, channels, block, volume):
    convolution = Convolution(channels, block, volume)
    convolution.ours = f"{name}.convolution"
    layers = [convolution, _ACTIVATIONS[block.activation]()]
    layers += [_POOLS[block.pool](block.window)] if block.pool != "none" else []
    layers += [nn.BatchNorm3d(block.filters)] if block.batch_norm else []
    layers += [] if block.after == "none" else [_ACTIVATIONS[block.after]()]
    return nn.Sequential(*layers, *([nn.Dropout(block.dropout)] if block.dropout else []))


class Join(nn.Module):
    """Our sum or concatenation of several blocks, with what follows it; ReLU works in a new array."""

    def __init__(self, block, channels):
        super().__init__()
        self.add = block.join == "add"
        layers = [nn.BatchNorm3d(channels)] if block.batch_norm else []
        layers += [_ACTIVATIONS[block.activation]()]
        layers += [_POOLS[block.pool](block.window)] if block.pool != "none" else []
        self.layers = nn.Sequential(*layers, *([nn.Dropout(block.dropout)] if block.dropout else []))
        self.copies = not block.batch_norm and block.activation == "relu"

    def forward(self, first, *others):
        if not self.add:
            return self.layers(torch.cat((first, *others), 1))
        for other in others:
            first = first + other
        return self.layers(first.clone() if self.copies and not others else first)


class Stream(nn.Module):
    """Blocks that read those which the description says, then the head."""

    def __init__(self, spec, head):
        super().__init__()
        shapes, self.sources = spec.shapes(), spec.sources()
        self.blocks = nn.ModuleList()
        for index, (block, sources) in enumerate(zip(spec.blocks, self.sources, strict=True), 1):
            if isinstance(block, JoinSpec):
                self.blocks.append(Join(block, shapes[index][3]))
            else:
                *volume, channels = shapes[sources[0]]
                self.blocks.append(_block(f"{spec.name}.block{index}", channels, block, volume))
        self.head = nn.Sequential(*head)

    def forward(self, x):
        outputs = [x]
        for block, sources in zip(self.blocks, self.sources, strict=True):
            outputs.append(block(*(outputs[source] for source in sources)))
        return self.head(outputs[-1])


def _dense(name, features, dense):
    layer = nn.Linear(features, dense.units)
    layer.ours = name
    return [layer, _ACTIVATIONS[dense.activation](), nn.Dropout(dense.dropout)][: 3 if dense.dropout else 2]


def _stream(spec, memory):
    layers, features = [Flatten(memory is LAST)], math.prod(spec.shapes()[-1])
    for index, dense in enumerate(spec.dense, 1):
        layers += _dense(f"{spec.name}.head.dense{index}", features, dense)
        features = dense.units
    return Stream(spec, layers)


class Model(nn.Module):
    """The streams and the fusion head that a network's description describes."""

    def __init__(self, spec, memory):
        super().__init__()
        self.streams = nn.ModuleList(_stream(stream, memory) for stream in spec.streams)
        layers, features = [], sum(stream.features for stream in spec.streams)
        for index, dense in enumerate(spec.fusion, 1):
            layers += _dense(f"fusion.block{index}.dense", features, dense)
            features = dense.units
        last = nn.Linear(features, spec.classes)
        last.ours = "fusion.output.dense"
        self.fusion = nn.Sequential(*layers, last)

    def forward(self, *patches):
        return self.fusion(torch.cat([stream(x) for stream, x in zip(self.streams, patches, strict=True)], 1))

    def take(self, network):
        """Copy the weights of a fresh network of ours, whose features are in channels-last order."""
        for layer in self.modules():
            if hasattr(layer, "ours"):
                w, b = (network.parameters[f"{layer.ours}.{part}"].value for part in ("weights", "bias"))
                layer.weight.data.copy_(
                    torch.from_numpy(w).permute(4, 3, 0, 1, 2) if w.ndim == 5 else torch.from_numpy(w.T)
                )
                layer.bias.data.copy_(torch.from_numpy(b))


class Twin:
    """The network of a description with a batch, ready to train or to infer."""

    def __init__(self, spec, patches, labels, training, memory="channels last"):
        self.memory = FORMATS[memory]
        self.network = Model(spec, self.memory).to(memory_format=self.memory).train(training)
        self.inputs = [
            torch.from_numpy(patches[name])[:, None].to(memory_format=self.memory) for name in spec.modalities
        ]
        self.labels = torch.from_numpy(labels)
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3, fused=True)

    def train(self):
        self.optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(self.network(*self.inputs), self.labels).backward()
        self.optimizer.step()

    def infer(self):
        with torch.inference_mode():
            return self.network(*self.inputs)

    def compiled(self):
        """The same, compiled; it takes a C++ compiler and a minute."""
        self.network = torch.compile(self.network)
        return self

    def difference(self, network, logits):
        """Largest difference of the logits from those of a fresh network of ours, relative to the largest."""
        self.network.take(network)
        flattens = [layer for layer in self.network.modules() if isinstance(layer, Flatten)]
        for layer in flattens:
            layer.last = True
        found = self.infer().numpy()
        for layer in flattens:
            layer.last = self.memory is LAST
        return abs(found - logits).max() / abs(logits).max()


def layer(plan, x, w, b, dy):
    """Forward, and forward with backward, of one convolution, ReLU and max-pool on the same arrays."""
    before = tuple(plan.before)
    source = torch.from_numpy(x).permute(0, 4, 1, 2, 3).requires_grad_(plan.input_shape[3] > 1)
    weights = torch.from_numpy(w).permute(4, 3, 0, 1, 2).to(memory_format=LAST).clone()
    weights.requires_grad_()
    bias, gradient = torch.from_numpy(b).clone().requires_grad_(), torch.from_numpy(dy).permute(0, 4, 1, 2, 3)

    def run():
        y = nn.functional.relu_(nn.functional.conv3d(source, weights, bias, padding=before))
        return nn.functional.max_pool3d(y, plan.window)

    def forward():
        with torch.inference_mode():
            run()

    def both():
        source.grad = weights.grad = bias.grad = None
        run().backward(gradient)

    return forward, both
