"""Gradients by central differences, one element at a time."""

import numpy as np


def central_differences(function, array, step=1e-5):
    """Gradient of a function without arguments by an array that it reads; the array is left as it was."""
    gradient = np.zeros(array.shape)
    for place in np.ndindex(*array.shape):
        value = array[place]
        array[place] = value + step
        above = function()
        array[place] = value - step
        below = function()
        array[place] = value
        gradient[place] = (above - below) / (2 * step)
    return gradient


def relative_error(found, expected):
    """Largest difference, relative to the largest expected value."""
    return float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
