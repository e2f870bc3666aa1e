"""Finds for each band that a network was trained on the band of another scene that is the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from mpmm.errors import SceneError
from mpmm.scene.bands import Band, differing, tolerances
from mpmm.scene.source_record import SourceRecord

INSIST = "--force-bands takes them as they come"


def match_bands(trained: SourceRecord, here: SourceRecord) -> tuple[int, ...]:
    """Positions in ``here`` of the bands that a network was trained on, in the training's order.

    A wavelength counts where both tell it (to half a band's width), else the name, else the colour, else the
    names of files that are stacked. Where neither scene tells anything of its bands, they are taken in their
    order.

    Raises
    ------
    SceneError
        A band is missing, or several may be it; or this scene does not tell what its bands are.
    """
    ours, theirs = trained.bands, here.bands
    in_order = tuple(range(len(ours)))
    if len(ours) == len(theirs) and all(map(_alike, ours, theirs)):
        return in_order
    allowed = tolerances(ours)
    candidates = [_candidates(band, near, theirs) for band, near in zip(ours, allowed, strict=True)]
    if all(positions is None for positions in candidates) and (by_file := _by_file(ours, theirs)):
        return by_file
    if all(positions is None for positions in candidates):
        _check_untold(trained, here)
        return in_order
    chosen = [positions[0] for positions in candidates if positions is not None and len(positions) == 1]
    if len(chosen) == len(ours) == len(set(chosen)):
        return tuple(chosen)
    if _fit_in_order(ours, theirs, allowed):
        return in_order
    _refuse(trained, here, candidates)


def _alike(band: Band, other: Band) -> bool:
    """Whether two bands are told in the same words, and in some."""
    same = (band.key, band.wavelength) == (other.key, other.wavelength)
    return same and (band.key is not None or band.wavelength is not None)


def _candidates(band: Band, near: float, theirs: Sequence[Band]) -> list[int] | None:
    """Positions of the bands that this may be; None where there is nothing to compare it by."""
    centres = [(i, other.wavelength) for i, other in enumerate(theirs) if other.wavelength is not None]
    if band.wavelength is not None and centres:
        distances = [(abs(centre - band.wavelength), i) for i, centre in centres]
        closest = min(distances)[0]
        return [i for distance, i in distances if distance == closest <= near]
    if band.key is not None and any(other.key for other in theirs):
        return [i for i, other in enumerate(theirs) if other.key == band.key]
    if band.color is not None and any(other.color for other in theirs):
        return [i for i, other in enumerate(theirs) if other.color == band.color]
    return None


def _by_file(ours: Sequence[Band], theirs: Sequence[Band]) -> tuple[int, ...] | None:
    """Positions by the names of stacked files, each of one band; None where these are not the same names."""
    files = [other.file for other in theirs]
    names = [band.file for band in ours]
    if "" in names or sorted(names) != sorted(set(files)) or len(set(files)) != len(files):
        return None
    return tuple(files.index(name) for name in names)


def _fit_in_order(ours: Sequence[Band], theirs: Sequence[Band], allowed: Sequence[float]) -> bool:
    """Whether each band may be the one at its own position, and the files tell of each the same much."""
    if len(ours) != len(theirs):
        return False
    return all(
        differing(band, other, near) is None and band.is_told <= other.is_told
        for band, other, near in zip(ours, theirs, allowed, strict=True)
    )


def _check_untold(trained: SourceRecord, here: SourceRecord) -> None:
    """Raise where only the training's bands are known, or the number of bands is another."""
    if len(trained.bands) != len(here.bands):
        raise SceneError(
            f"{here.name}: {here.file} gives {len(here.bands)} bands, the network was trained on "
            f"{len(trained.bands)}: {_listed(trained.bands)}",
            f"choose them with bands or drop_bands of {here.name}, in the training's order",
        )
    if trained.tells_bands:
        raise SceneError(
            f"{here.name}: {here.file} does not say what its bands are; "
            f"the network was trained on {_listed(trained.bands)}",
            f"if they are these, in this order, {INSIST}",
        )


def _refuse(trained: SourceRecord, here: SourceRecord, candidates: Sequence[list[int] | None]) -> NoReturn:
    """Name the first band without exactly one that is the same."""
    position = next((i for i, each in enumerate(candidates) if each is None or len(each) != 1), None)
    if position is None:
        chosen = [each[0] for each in candidates if each]
        position = next(i for i, each in enumerate(chosen) if chosen.count(each) > 1)
        reason = f"band {here.bands[chosen[position]].title} would be several of them"
    elif len(candidates[position] or ()) > 1:
        reason = "several bands are called so"
    else:
        reason = f"it has {_listed(here.bands)}"
    raise SceneError(
        f"{here.name}: the network was trained on {trained.bands[position].title}; "
        f"which band of {here.file} that is, is not clear: {reason}",
        f"name its bands as in the training; or choose them in the training's order by bands of {here.name}, "
        f"and {INSIST}",
    )


def _listed(bands: Sequence[Band]) -> str:
    """Titles of the bands, those in the middle left out where there are many."""
    titles = [band.title for band in bands]
    return ", ".join(titles if len(titles) <= 8 else [*titles[:3], "...", *titles[-2:]])
