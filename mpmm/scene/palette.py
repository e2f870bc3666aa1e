"""Colours for classes that the user gave none: twenty that stay apart on a map."""

from __future__ import annotations

# Tableau's categorical palette of twenty: ten strong colours, then their light partners.
_PALETTE = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd"),
    *("#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"),
    *("#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5"),
    *("#c49c94", "#f7b6d2", "#c7c7c7", "#dbdb8d", "#9edae5"),
)


def color_of(position: int) -> str:
    """Colour "#rrggbb" of the class at ``position`` in the list of classes, from 0; repeats after twenty."""
    return _PALETTE[position % len(_PALETTE)]
