"""A network and its training step by mpmm, on a batch of random patches; the `paper` network by default."""

import numpy as np

from mpmm.network import EVALUATION, Adam, Network, SoftmaxCrossEntropy, Step, paper

BATCH, CLASSES, SIZE = 40, 20, 25
BANDS = {"hsi": 48, "rgb": 3}


def paper_spec(kernels="fast", bands=BANDS["hsi"]):
    """The `paper` network of the goals, or with another number of hyperspectral bands."""
    return paper(BANDS | {"hsi": bands}, CLASSES, SIZE, kernels=kernels)


def random_batch(spec, samples=BATCH):
    """Patches of each modality and their labels."""
    rng = np.random.default_rng(0)
    patches = {
        stream.name: rng.standard_normal((samples, stream.bands, stream.size, stream.size), dtype="float32")
        for stream in spec.streams
    }
    return patches, rng.integers(0, spec.classes, samples)


class Ours:
    """A network of its own with the batch, ready to train or to infer."""

    def __init__(self, spec, samples=BATCH):
        self.network = Network(spec)
        self.loss, self.optimizer = SoftmaxCrossEntropy(), Adam()
        self.patches, self.labels = random_batch(spec, samples)
        self.number = 0

    def train(self):
        self.number += 1
        logits = self.network.forward(self.patches, Step(training=True, number=self.number, seed=0))
        self.network.backward(self.loss(logits, self.labels).dlogits)
        self.optimizer.update_all(self.network.parameters.values(), self.number)

    def infer(self):
        return self.network.forward(self.patches, EVALUATION)
