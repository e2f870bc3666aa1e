"""Makes ids of classes from the values of a column: numbers are ids, texts are numbered by their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.labels import LARGEST_ID, LandCover


def class_ids(
    values: NDArray[Any], known: Sequence[LandCover], origin: str
) -> tuple[NDArray[np.int16], dict[int, str]]:
    """Return the id of each value, and names of the ids where these are new.

    Whole numbers are ids themselves, in a column of texts too if all of them are whole numbers. Other texts
    are names of known classes; without any, they get the ids 1, 2, ... in the order of their characters' code
    points, whatever the order of the features.

    Parameters
    ----------
    values
        The column, without empty values.
    known
        Classes that the texts may name; none: any.
    origin
        File and column, for errors.

    Raises
    ------
    SceneError
        A number is no id, a text names no known class, or the column holds neither.
    """
    if values.dtype.kind == "O" or values.dtype.kind in "US":
        texts = np.array([str(value).strip() for value in values], object)
        if not all(text.lstrip("+-").isdecimal() for text in texts):
            return _ids_of_names(texts, known, origin)
        values = np.array([float(text) for text in texts])
    if values.dtype.kind not in "iuf":
        raise SceneError(
            f"labels: {origin} holds {values.dtype}; expected whole numbers or texts", "name another column"
        )
    wrong = ~((values >= 0) & (values <= LARGEST_ID) & (np.floor(values) == values))
    if wrong.any():
        raise SceneError(
            f"labels: {origin} holds {values[wrong][0]}; expected whole numbers from 0 to {LARGEST_ID}",
            "is this the column of classes?",
        )
    return values.astype(np.int16), {}


def _ids_of_names(
    texts: NDArray[np.object_], known: Sequence[LandCover], origin: str
) -> tuple[NDArray[np.int16], dict[int, str]]:
    names = sorted(set(texts))
    ids = {cover.name.strip(): cover.id for cover in known}
    unknown = [name for name in names if name not in ids] if known else []
    if unknown:
        raise SceneError(
            f"labels: {origin} holds {unknown[0]!r}, which is none of the classes {', '.join(sorted(ids))}",
            'list it in [scene.classes], as in 1 = "soil"; or correct it in the file',
        )
    if len(names) > LARGEST_ID:
        raise SceneError(f"labels: {origin} holds {len(names):,} different texts", "name another column")
    new = {} if known else dict(enumerate(names, start=1))
    ids = ids or {name: number for number, name in new.items()}
    return np.array([ids[text] for text in texts], np.int16), new
