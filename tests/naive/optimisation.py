"""Adam, one number at a time, as Kingma and Ba's Algorithm 1 writes it; weight decay decoupled."""

from math import sqrt


def adam(value, gradients, rate, beta1, beta2, epsilon, decay):
    """A number after one update for each gradient."""
    first = second = 0.0
    for step, gradient in enumerate(gradients, start=1):
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        corrected_first = first / (1 - beta1**step)
        corrected_second = second / (1 - beta2**step)
        value -= rate * decay * value
        value -= rate * corrected_first / (sqrt(corrected_second) + epsilon)
    return value
