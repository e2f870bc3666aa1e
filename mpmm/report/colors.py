"""Colours of lines, parts and ranks that are told apart on white and on black."""

from __future__ import annotations

TRAINING, VALIDATION = "#2f7fd1", "#d9730d"
PARTS = {"train": "#2f7fd1", "validation": "#d9730d", "test": "#2a9d5c"}
# training and validation patch on the same pixel
OVERLAP = "#d64550"
_RANKS = ("#7a7f87", "#2f7fd1", "#d9730d", "#2a9d5c", "#9a5fd0", "#d64550", "#1a9ba1", "#a5743a", "#cf5fa0")


def rank_color(rank: int) -> str:
    """Colour of a rank; ranks beyond the ninth begin again after the server's."""
    return _RANKS[rank] if rank < len(_RANKS) else _RANKS[1 + (rank - 1) % (len(_RANKS) - 1)]


def with_ink(color: str) -> str:
    """Black or white, whichever is read better on this colour ``#rrggbb``."""
    channels = [int(color[digit : digit + 2], 16) / 255 for digit in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # WCAG's contrast of black equals that of white at this luminance
    return "#000000" if luminance > 0.179 else "#ffffff"
