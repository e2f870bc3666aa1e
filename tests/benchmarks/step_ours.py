"""The `paper` network and its training step by mpmm, on a batch of random patches."""

import numpy as np

from mpmm.network import EVALUATION, Adam, Network, SoftmaxCrossEntropy, Step, paper

BATCH, CLASSES, SIZE = 40, 20, 25
BANDS = {"hsi": 48, "rgb": 3}


def random_batch():
    """Patches of each modality and their labels."""
    rng = np.random.default_rng(0)
    patches = {
        name: rng.standard_normal((BATCH, bands, SIZE, SIZE), dtype="float32")
        for name, bands in BANDS.items()
    }
    return patches, rng.integers(0, CLASSES, BATCH)


class Ours:
    """A network of its own with the batch, ready to train or to infer."""

    def __init__(self, kernels):
        self.network = Network(paper(BANDS, CLASSES, kernels=kernels))
        self.loss, self.optimizer = SoftmaxCrossEntropy(), Adam()
        self.patches, self.labels = random_batch()
        self.number = 0

    def train(self):
        self.number += 1
        logits = self.network.forward(self.patches, Step(training=True, number=self.number, seed=0))
        self.network.backward(self.loss(logits, self.labels).dlogits)
        for parameter in self.network.parameters.values():
            self.optimizer.update(parameter, self.number)

    def infer(self):
        return self.network.forward(self.patches, EVALUATION)
