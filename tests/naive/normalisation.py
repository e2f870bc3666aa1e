"""Batch normalisation of (n, positions, channels), one channel at a time, by its textbook formulae."""

import numpy as np


def batchnorm(x, gamma, beta, epsilon):
    """Normalised by the batch's own mean and biased variance."""
    y = np.zeros(x.shape)
    for c in range(x.shape[2]):
        values = x[:, :, c].astype(float)
        y[:, :, c] = gamma[c] * (values - values.mean()) / np.sqrt(values.var() + epsilon) + beta[c]
    return y


def batchnorm_backward(x, gamma, dy, epsilon):
    """Gradients of x, gamma and beta; every value moves the mean and the variance of its channel."""
    dx, dgamma, dbeta = np.zeros(x.shape), np.zeros(x.shape[2]), np.zeros(x.shape[2])
    for c in range(x.shape[2]):
        values, gradient = x[:, :, c].astype(float), dy[:, :, c].astype(float)
        inverse = 1 / np.sqrt(values.var() + epsilon)
        z = (values - values.mean()) * inverse
        dbeta[c], dgamma[c] = gradient.sum(), (gradient * z).sum()
        dx[:, :, c] = gamma[c] * inverse * (gradient - gradient.mean() - z * (gradient * z).mean())
    return dx, dgamma, dbeta
