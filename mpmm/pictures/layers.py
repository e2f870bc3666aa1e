"""Layers of a scene for a page: its look as JPEG, its classes and patches as small PNGs that lie over it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from PIL import Image as Pillow

from mpmm.patches import Samples, window_sums
from mpmm.pictures.composite import composite
from mpmm.pictures.figure import MOST_PIXELS
from mpmm.scene import AlignedModality

Rgb = tuple[int, int, int]


def stride_of(shape: tuple[int, int]) -> int:
    """Every so many pixels are shown of a scene of this size: as many as a picture needs."""
    return -(-max(shape) // MOST_PIXELS)


def look(modality: AlignedModality, stride: int) -> tuple[bytes, str]:
    """The modality in colour as JPEG, every `stride`-th pixel, and what its colours are."""
    image, title = composite(modality, stride)
    content = io.BytesIO()
    Pillow.fromarray(np.rint(image * 255).astype(np.uint8)).save(content, "JPEG", quality=85)
    return content.getvalue(), title


def distinct(colors: Sequence[str]) -> list[str]:
    """The colours ``#rrggbb``, each used once: a repeated one is changed by what no eye sees."""
    chosen: list[str] = []
    for color in colors:
        number = int(color[1:], 16)
        while f"#{number:06x}" in chosen:
            number = number + 1 if number < 0xFFFFFF else 0
        chosen.append(f"#{number:06x}")
    return chosen


def palette_png(numbers: NDArray[np.uint8], colors: Sequence[str], alpha: float = 1.0) -> bytes:
    """Numbers (rows, columns) as PNG: number k in colour k - 1, transparent where it is 0."""
    image = Pillow.fromarray(numbers, "P")
    flat = [0, 0, 0]
    for color in colors:
        flat += _rgb(color)
    image.putpalette(flat)
    content = io.BytesIO()
    opacity = bytes([0, *[round(255 * alpha)] * len(colors)])
    image.save(content, "PNG", transparency=opacity, optimize=True)
    return content.getvalue()


def positions_of(ids: NDArray[np.integer], class_ids: Sequence[int]) -> NDArray[np.uint8]:
    """Class ids (rows, columns) as positions from 1 on; 0 where there is none of these."""
    numbers = np.zeros(ids.shape, np.uint8)
    for position, number in enumerate(class_ids, 1):
        numbers[ids == number] = position
    return numbers


def footprints(
    parts: Mapping[str, Samples], shape: tuple[int, int], size: int, stride: int
) -> NDArray[np.uint8]:
    """Where patches lie: 1, 2, 3 for the parts in their order, 4 where the first two overlap."""
    image = np.zeros((-(-shape[0] // stride), -(-shape[1] // stride)), np.uint8)
    covered = [_covered(samples, shape, size, stride) for samples in parts.values()]
    # the part with the most patches on top
    for number in range(len(covered), 0, -1):
        image[covered[number - 1]] = number
    if len(covered) > 1:
        image[covered[0] & covered[1]] = 4
    return image


def _covered(samples: Samples, shape: tuple[int, int], size: int, stride: int) -> NDArray[np.bool_]:
    centres = np.zeros(shape, dtype=bool)
    centres[samples.rows, samples.columns] = True
    covered: NDArray[np.bool_] = window_sums(centres, size)[::stride, ::stride] > 0
    return covered


def _rgb(color: str) -> Rgb:
    red, green, blue = (round(255 * channel) for channel in to_rgb(color))
    return red, green, blue
