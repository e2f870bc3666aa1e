"""Softmax and cross-entropy, one sample and one class at a time, in Python's own floats."""

from math import exp, log


def softmax(row):
    """Probabilities of one row of logits."""
    top = max(row)
    powers = [exp(value - top) for value in row]
    return [power / sum(powers) for power in powers]


def target(label, weights, smoothing):
    """What the probabilities are compared with: the label's class, smoothed and weighted."""
    classes = len(weights)
    return [weights[k] * (smoothing / classes + (1 - smoothing) * (k == label)) for k in range(classes)]


def cross_entropy(row, label, weights, smoothing):
    """Loss of one sample."""
    return -sum(t * log(p) for t, p in zip(target(label, weights, smoothing), softmax(row), strict=True))


def focal_loss(row, label, weights, smoothing, gamma):
    """Loss of one sample whose terms count less where they are small."""
    terms = zip(target(label, weights, smoothing), softmax(row), strict=True)
    return -sum(t * (1 - p) ** gamma * log(p) for t, p in terms)


def cross_entropy_backward(row, label, weights, smoothing):
    """Gradient of the loss by the logits."""
    targets = target(label, weights, smoothing)
    return [p * sum(targets) - t for p, t in zip(softmax(row), targets, strict=True)]
