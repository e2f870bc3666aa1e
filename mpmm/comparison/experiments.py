"""The experiments by name, in the order in which they are run, and what runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mpmm.comparison.batches import batches
from mpmm.comparison.fusion import fusion
from mpmm.comparison.inference import inference
from mpmm.comparison.layouts import layouts
from mpmm.comparison.rivals import rivals
from mpmm.comparison.splits import splits
from mpmm.comparison.study import Study
from mpmm.pictures import draw_curves
from mpmm.records import Outcome, keep_outcome

EXPERIMENTS: dict[str, Callable[[Study], Outcome]] = {
    "fusion": fusion,
    "rivals": rivals,
    "splits": splits,
    "layouts": layouts,
    "inference": inference,
    "batches": batches,
}


def compare(study: Study, names: Sequence[str] = ()) -> list[Path]:
    """Run experiments and write what they came to: tables and figures as CSV, figures as PNG too.

    Parameters
    ----------
    study
        The comparison's folder and settings.
    names
        Experiments to run; all by default.

    Returns
    -------
    list of Path
        A folder an experiment.

    Raises
    ------
    MpmmError
        A run failed. What was done is kept: started again, the comparison goes on with what is missing.
    """
    folders = []
    for name in names or tuple(EXPERIMENTS):
        study.say("experiment", name)
        outcome = EXPERIMENTS[name](study)
        own = keep_outcome(study.folder, outcome)
        for figure in outcome.figures:
            curves = [(curve.name, curve.x, curve.y) for curve in figure.curves]
            draw_curves(own / f"{figure.name}.png", figure.title, (figure.across, figure.up), curves)
        folders.append(own)
    return folders
