"""The `paper` network and its training step in PyTorch, as fast as it gets on a CPU in float32."""

import torch
from torch import nn

torch.manual_seed(0)
_CHANNELS_LAST = torch.channels_last_3d


class Block(nn.Module):
    """Convolution, ReLU, max-pool, batch-norm."""

    def __init__(self, channels, filters, kernel, before, window):
        super().__init__()
        self.convolution = nn.Conv3d(channels, filters, kernel, padding=before)
        self.pool = nn.MaxPool3d(window)
        self.norm = nn.BatchNorm3d(filters)

    def forward(self, x):
        return self.norm(self.pool(nn.functional.relu_(self.convolution(x))))


def stream(blocks, flat):
    """Three blocks, flatten, dense, dropout."""
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(flat, 256), nn.ReLU(inplace=True), nn.Dropout(0.5))


class Paper(nn.Module):
    """The two streams and the fusion head."""

    def __init__(self):
        super().__init__()
        self.hsi = stream(
            [
                Block(1, 16, (7, 3, 3), 0, (2, 2, 2)),
                Block(16, 32, (5, 3, 3), 0, (2, 2, 2)),
                Block(32, 64, (3, 3, 3), 0, (2, 1, 1)),
            ],
            768,
        )
        self.rgb = stream(
            [
                Block(1, 16, (3, 3, 3), (1, 0, 0), (1, 2, 2)),
                Block(16, 32, (3, 3, 3), (1, 0, 0), (1, 2, 2)),
                Block(32, 64, (3, 3, 3), (1, 0, 0), (3, 1, 1)),
            ],
            256,
        )
        self.fusion = nn.Sequential(
            nn.Linear(512, 256),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(256, 128),
            nn.ReLU(inplace=True),
            nn.Linear(128, 20),
        )

    def forward(self, hsi, rgb):
        return self.fusion(torch.cat([self.hsi(hsi), self.rgb(rgb)], 1))


class Twin:
    """A network of its own with the batch, ready to train or to infer."""

    def __init__(self, patches, labels, training):
        self.network = Paper().to(memory_format=_CHANNELS_LAST).train(training)
        self.inputs = [
            torch.from_numpy(patches[name])[:, None].to(memory_format=_CHANNELS_LAST)
            for name in ("hsi", "rgb")
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


def layer(plan, x, w, b, dy):
    """Forward, and forward with backward, of one convolution, ReLU and max-pool on the same arrays."""
    before = tuple(plan.before)
    source = torch.from_numpy(x).permute(0, 4, 1, 2, 3).requires_grad_(plan.input_shape[3] > 1)
    weights = torch.from_numpy(w).permute(4, 3, 0, 1, 2).to(memory_format=_CHANNELS_LAST).clone()
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
