"""Pictures of trainings: loss above, accuracy below, a column a scene, a line a way to train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot

Curves = Mapping[str, Mapping[str, np.ndarray]]


def draw(curves: Curves, picture: Path, colors: Sequence[Any], banded: Sequence[str] | None = None) -> None:
    """Draw means over the seeds as lines, and for some of them bands that reach over all seeds.

    Parameters
    ----------
    curves
        Training loss and validation accuracy in percent by scene and way to train, (seeds, epochs, 2).
    picture
        The file to write.
    colors
        Of the lines, in their order.
    banded
        The lines with a band, drawn above the others; None: all.
    """
    few = max(map(len, curves.values())) <= 3
    height = 5 if few else 7
    figure, axes = pyplot.subplots(2, len(curves), figsize=(3.2 * len(curves), height), squeeze=False)
    for column, (scene, by_way) in enumerate(curves.items()):
        for row, label in enumerate(("training loss", "validation accuracy, %")):
            axis = axes[row, column]
            for color, (way, values) in zip(colors, by_way.items(), strict=False):
                _line(axis, values[..., row], way, color, banded is None or way in banded)
            axis.set_title(scene if row == 0 else "")
            axis.set_ylabel(label if column == 0 else "")
            axis.set_xlabel("epoch" if row else "")
    if few:
        axes[0, 0].legend(frameon=False)
        figure.tight_layout()
    else:
        figure.tight_layout(rect=(0, 0.1, 1, 1))
        figure.legend(*axes[0, 0].get_legend_handles_labels(), frameon=False, loc="lower center", ncols=4)
    figure.savefig(picture, dpi=80)


def _line(axis: Any, values: np.ndarray, name: str, color: Any, banded: bool) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    axis.plot(epochs, values.mean(axis=0), color=color, label=name, zorder=3 if banded else 2)
    if banded:
        axis.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=color, alpha=0.15, lw=0)
