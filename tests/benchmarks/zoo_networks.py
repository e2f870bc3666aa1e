"""Patch networks of the literature, and shapes between them, as mpmm describes them.

Published networks keep their kernels, filters and patches; where a paper pads by a fixed count, "same"
padding stands for it. Those that `[network] preset` names are built as it builds them.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from mpmm.network import BlockSpec, DenseSpec, NetworkSpec, StreamSpec, paper, preset_fusion, preset_stream

DEEP = ("same", "valid", "valid")


class Entry(NamedTuple):
    """A network and the samples of a batch."""

    make: Callable[[], NetworkSpec]
    samples: int


def conv(filters, kernel, padding="valid", stride=(1, 1, 1), norm=False):
    """A convolution alone: most published networks neither pool nor normalise."""
    return BlockSpec(filters, kernel, stride, padding, pool="none", window=(1, 1, 1), batch_norm=norm)


def pooled(filters, kernel, window, padding="valid", pool="max", norm=True):
    """A convolution with a pool, and batch-norm after it."""
    return BlockSpec(filters, kernel, (1, 1, 1), padding, pool=pool, window=window, batch_norm=norm)


def network(bands, size, *blocks, dense=(), classes=16):
    """One stream over hyperspectral patches."""
    return NetworkSpec((StreamSpec("hsi", bands, size, blocks, dense),), (), classes)


def paper_network(bands, size):
    """Aspri et al. 2020: this project's own."""
    return paper({"hsi": bands, "rgb": 3}, 20, size)


def published(preset, bands, size, classes=16):
    """A network of the literature, as a configuration gets it by name."""
    return NetworkSpec((preset_stream(preset, "hsi", bands, size),), preset_fusion(preset), classes)


def li(filters):
    """Li et al. 2017, doi:10.3390/rs9010067, wider than its 2 filters."""
    return network(103, 5, conv(filters, (7, 3, 3), DEEP), conv(2 * filters, (3, 3, 3), DEEP), classes=9)


def same_volumes(filters):
    """Same padding and pools that halve, as in VGG (arXiv:1409.1556), on 33 x 33 pixels."""
    blocks = (pooled(filters << i, (3, 3, 3), (2, 2, 2), "same") for i in range(3))
    return network(32, 33, *blocks, dense=(DenseSpec(128),))


def four_by_four():
    """Kernels of 4 x 4 pixels at every layer."""
    blocks = pooled(16, (5, 4, 4), (2, 2, 2)), pooled(32, (3, 4, 4), (2, 2, 2)), conv(64, (3, 2, 2))
    return network(48, 19, *blocks, dense=(DenseSpec(128),))


def wide_spectrum():
    """224 bands of 9 x 9 pixels, pooled along the spectrum, 20 and 35 filters."""
    blocks = (
        pooled(20, (11, 3, 3), (3, 1, 1)),
        pooled(35, (5, 3, 3), (3, 1, 1)),
        pooled(35, (3, 3, 3), (3, 1, 1)),
    )
    return network(224, 9, *blocks, dense=(DenseSpec(128),))


ZOO = {
    "paper, batch 40": Entry(partial(paper_network, 48, 25), 40),
    "paper, batch 1": Entry(partial(paper_network, 48, 25), 1),
    "paper, 144 bands, 19 px": Entry(partial(paper_network, 144, 19), 16),
    "HybridSN": Entry(partial(published, "hybridsn", 30, 25), 16),
    "Ahmad": Entry(partial(published, "ahmad", 20, 11), 64),
    "Ben Hamida, 103 bands": Entry(partial(published, "hamida", 103, 5, 9), 100),
    "Ben Hamida, 224 bands": Entry(partial(published, "hamida", 224, 5, 9), 40),
    "Li, 2 filters": Entry(partial(published, "li", 103, 5, 9), 256),
    "Li, 16 filters": Entry(partial(li, 16), 64),
    "Chen": Entry(partial(published, "chen", 103, 27, 9), 3),
    "He": Entry(partial(published, "he", 200, 7), 40),
    "SSRN": Entry(partial(published, "ssrn", 200, 7), 16),
    "bottlenecks": Entry(partial(published, "bottleneck", 30, 9), 32),
    "same padding, 33 px": Entry(partial(same_volumes, 16), 8),
    "4x4 kernels": Entry(four_by_four, 32),
    "224 bands, 20 and 35": Entry(wide_spectrum, 32),
}
