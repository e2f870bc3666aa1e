"""Softmax over classes, and its cross-entropy with the true class; stable row by row."""

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.layers.elementary import exponential, logarithm
from mpmm_kernels.runtime import compiled


@compiled
def softmax(logits: Floats, probabilities: Floats) -> None:
    """Fill probabilities[n, k] = exp(logits[n, k]) / sum over j of exp(logits[n, j]).

    Each row's own maximum is subtracted first, so nothing overflows and no row disturbs another.
    """
    for n in range(logits.shape[0]):
        top = logits[n, 0]
        for k in range(1, logits.shape[1]):
            top = max(top, logits[n, k])
        total = 0.0
        for k in range(logits.shape[1]):
            probabilities[n, k] = exponential(logits[n, k] - top)
            total += probabilities[n, k]
        for k in range(logits.shape[1]):
            probabilities[n, k] /= total


@compiled
def cross_entropy(
    logits: Floats,
    labels: Array,
    class_weights: Floats,
    smoothing: float,
    scale: float,
    losses: Array,
    dlogits: Floats,
) -> None:
    """Fill the losses of the samples and the gradient of scale * sum of losses.

    loss[n] = - sum over k of t[k] log p[k], with p = softmax(logits[n]) and the target
    t[k] = class_weights[k] * ((1 - smoothing) [k is the label] + smoothing / classes);
    dlogits[n, k] = scale * (p[k] * sum of t - t[k]). These are PyTorch's CrossEntropyLoss with ``weight`` and
    ``label_smoothing``; its mean is scale = 1 / sum of class_weights[labels[n]] over n: unweighted, 1 / n.

    Parameters
    ----------
    logits, dlogits
        (n, classes).
    labels
        (n,), integers from 0.
    class_weights
        (classes,), ones for the plain loss.
    losses
        (n,), float64.
    """
    softmax(logits, dlogits)
    classes = logits.shape[1]
    for n in range(logits.shape[0]):
        whole, loss = 0.0, 0.0
        log_total = log_of_total(logits[n])
        for k in range(classes):
            target = class_weights[k] * share_of_target(k == labels[n], smoothing, classes)
            whole += target
            if target != 0:
                loss += target * (log_total - logits[n, k])
        losses[n] = loss
        for k in range(classes):
            target = class_weights[k] * share_of_target(k == labels[n], smoothing, classes)
            # a likely label's difference is exact so: a product rounded first would lose its digits
            dlogits[n, k] = scale * (whole * (dlogits[n, k] - (target / whole if whole > 0 else 0.0)))


@compiled
def share_of_target(is_label: bool, smoothing: float, classes: int) -> float:
    """A class's part of a smoothed target, before its weight."""
    return smoothing / classes + (1 - smoothing if is_label else 0.0)


@compiled
def log_of_total(row: Floats) -> float:
    """Logarithm of the sum of the exponentials."""
    top = row[0]
    for k in range(1, row.shape[0]):
        top = max(top, row[k])
    total = 0.0
    for k in range(row.shape[0]):
        total += exponential(row[k] - top)
    largest: float = top
    return largest + logarithm(total)
