"""A training loop of a few lines for the tests of this room."""

from mpmm.network import EVALUATION, Adam, SoftmaxCrossEntropy, Step


def train(network, patches, labels, steps, optimizer=None, first=1):
    """Steps on one batch; numbers count from ``first``."""
    optimizer, loss = optimizer or Adam(), SoftmaxCrossEntropy(label_smoothing=0.05)
    for number in range(first, first + steps):
        step = Step(training=True, number=number, seed=4)
        network.backward(loss(network.forward(patches, step), labels).dlogits)
        for parameter in network.parameters.values():
            optimizer.update(parameter, number)
    return optimizer


def correct(network, patches, labels):
    return SoftmaxCrossEntropy()(network.forward(patches, EVALUATION), labels).correct
