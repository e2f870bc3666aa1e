"""Patches cut pixel by pixel."""

import numpy as np


def gather(values, centres, codes, linear, patches):
    count, bands, size, _ = patches.shape
    for n in range(count):
        window = np.empty((bands, size, size), values.dtype)
        for b in range(bands):
            for i in range(size):
                for j in range(size):
                    value = values[centres[n, 0] - size // 2 + i, centres[n, 1] - size // 2 + j, b]
                    window[b, i, j] = (value - linear[0, b]) * linear[1, b]
        if codes[n] >= 4:
            window = np.flip(window, axis=2)
        patches[n] = np.rot90(window, codes[n] % 4, axes=(1, 2))
