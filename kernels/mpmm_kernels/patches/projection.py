"""Projection of pixels onto axes, such as principal components: a pixel's bits are its own."""

from mpmm_kernels.arrays import Array
from mpmm_kernels.runtime import compiled


@compiled
def project_pixels(pixels: Array, mean: Array, axes: Array, sums: Array, projected: Array) -> None:
    """Fill ``projected[n, k]`` with the sum over all bands b of ``(pixels[n, b] - mean[b]) * axes[b, k]``.

    One thread; each sum is made in double precision, in the order of the bands. Bounds are not checked.

    Parameters
    ----------
    pixels
        ``(n, bands)``, contiguous.
    mean, axes
        ``(bands,)`` and ``(bands, components)``, float64.
    sums
        Scratch of ``(components,)``, float64.
    projected
        Filled: ``(n, components)``, contiguous.
    """
    count, bands = pixels.shape
    components = sums.size
    for n in range(count):
        for k in range(components):
            sums[k] = 0.0
        for b in range(bands):
            centred = pixels[n, b] - mean[b]
            for k in range(components):
                sums[k] += centred * axes[b, k]
        for k in range(components):
            projected[n, k] = sums[k]
