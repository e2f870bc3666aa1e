"""Names of MATLAB and NumPy files and of arrays in them: `scene.mat`, `scene.mat:cube`, `p.npy:largest`.

ENVI's text of regions of interest is an array too, where it is named as such: `samples.txt:rois`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

# how an array may be taken instead of as it is
VIEWS = ("bands-first", "largest")
# a file by its ending, the variable in it if one is named, and how it is taken
_VIEW = f"(?:{'|'.join(VIEWS)})"
_NAME = re.compile(
    rf"(?P<file>.*\.(?P<ending>mat|npy|npz|txt(?=:rois$)))(?!:{_VIEW}:)(:(?!{_VIEW}$)(?P<variable>[^:/\"]+))?(:(?P<view>{_VIEW}))?",
    re.IGNORECASE | re.DOTALL,
)


class ArrayName(NamedTuple):
    """The name of an array.

    Attributes
    ----------
    file
        The file.
    ending
        Of the file's name, in lower case.
    variable
        The array in it; None where none is named.
    view
        "bands-first": its dimensions are bands, rows, columns; "largest": a pixel's value is the number of
        its largest band, counted from 1, as labels come from abundances or probabilities; None: as it is.
    """

    file: Path
    ending: str
    variable: str | None
    view: str | None = None

    @property
    def within(self) -> str:
        """What stands behind the file's name."""
        return "".join(f":{part}" for part in (self.variable, self.view) if part)


def array_name(name: Path | str) -> ArrayName | None:
    """Take the name of an array apart; None for the name of anything else."""
    match = _NAME.fullmatch(str(name))
    return match and ArrayName(Path(match["file"]), match["ending"].lower(), match["variable"], match["view"])
