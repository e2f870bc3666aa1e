"""Focal loss: cross-entropy in which well-classified samples count less; stable row by row."""

from mpmm_kernels.arrays import Array, Floats
from mpmm_kernels.layers.elementary import exponential, exponential_less_one, logarithm
from mpmm_kernels.layers.softmax import log_of_total, share_of_target
from mpmm_kernels.runtime import compiled


@compiled
def focal_loss(
    logits: Floats,
    labels: Array,
    class_weights: Floats,
    smoothing: float,
    gamma: float,
    scale: float,
    losses: Array,
    dlogits: Floats,
) -> None:
    """Fill the losses of the samples and the gradient of scale * sum of losses.

    loss[n] = - sum over k of t[k] (1 - p[k])^gamma log p[k], with p = softmax(logits[n]) and the target t of
    `softmax.cross_entropy`. With g[k] = t[k] (gamma p[k] (1 - p[k])^(gamma - 1) log p[k] - (1 - p[k])^gamma),
    dlogits[n, k] = scale * (g[k] - p[k] * sum of g). Lin et al., "Focal Loss for Dense Object Detection",
    ICCV 2017, eq. 4; a gamma of 0 gives the cross-entropy, up to rounding.

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
    classes = logits.shape[1]
    for n in range(logits.shape[0]):
        log_total = log_of_total(logits[n])
        whole, loss = 0.0, 0.0
        for k in range(classes):
            share = share_of_target(k == labels[n], smoothing, classes)
            target = class_weights[k] * share
            log_p = logits[n, k] - log_total
            value, slope = _focused(log_p, gamma)
            if target != 0:
                loss += target * value
            whole += target * slope
        losses[n] = loss
        for k in range(classes):
            share = share_of_target(k == labels[n], smoothing, classes)
            log_p = logits[n, k] - log_total
            slope = _focused(log_p, gamma)[1]
            dlogits[n, k] = scale * (class_weights[k] * share * slope - exponential(log_p) * whole)


@compiled
def _focused(log_p: float, gamma: float) -> tuple[float, float]:
    """A probability's loss -(1 - p)^gamma log p, and p times the loss's derivative by p."""
    p, rest = exponential(log_p), -exponential_less_one(log_p)
    if rest <= 0:
        # a probability of 1 to the last bit: nothing is left to learn
        return 0.0, 0.0 if gamma > 0 else -1.0
    focus = exponential(gamma * logarithm(rest))
    return -focus * log_p, gamma * p * focus / rest * log_p - focus
