"""Brings another scene into the form that a network was trained on: bands, values and pixels alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from mpmm.errors import SceneError
from mpmm.scene.bands import same_unit
from mpmm.scene.matching import INSIST, match_bands
from mpmm.scene.scene import Scene
from mpmm.scene.source_record import Metres, SourceRecord

# pixels that differ in size by no more than this share are of one size
PIXEL_TOLERANCE = 0.1

# choices of bands that would be made again among those that are named
_ANY_BANDS: dict[str, Any] = {"drop_bands": (), "near": None, "between": None, "evenly": None}


@dataclass(frozen=True)
class MatchedScene:
    """A scene as the network takes it.

    Attributes
    ----------
    scene
        The scene, its modalities' bands in the training's order.
    records
        What its files say, by modality, bands in the same order.
    changes, unchecked
        What was changed, and what could not be checked: a line each.
    """

    scene: Scene
    records: Mapping[str, SourceRecord]
    changes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


def transferred(
    scene: Scene, trained: Mapping[str, SourceRecord], here: Mapping[str, SourceRecord], insist: bool = False
) -> MatchedScene:
    """Order a scene's bands as in the training, and check that they hold the same quantities.

    Parameters
    ----------
    scene
        The scene to apply a network to.
    trained
        What the run keeps of the scene it was trained on, by modality; nothing of a modality in older runs.
    here
        What this scene's files say, by modality.
    insist
        Whether to take the bands as they come, whatever files say.

    Raises
    ------
    SceneError
        It is not clear which bands these are; or values, units or pixel sizes are not those of the training.
    """
    modalities = {modality.name: modality for modality in scene.modalities}
    records, changes, unchecked = dict(here), list[str](), list[str]()
    for name, record in here.items():
        known = trained.get(name)
        if known is None:
            unchecked.append(
                f"{name}: the run, of an older mpmm, keeps nothing of its bands: they are not checked"
            )
        elif insist:
            _check_count(known, record)
            unchecked.append(f"{name}: bands, values and pixel size are taken as they come, unchecked")
        else:
            records[name], notes = _matched(known, record)
            unchecked += notes
            if records[name] != record:
                numbers = [band.number for band in records[name].bands]
                modalities[name] = replace(modalities[name], bands=tuple(numbers), **_ANY_BANDS)
                listed = ", ".join(map(str, numbers))
                changes.append(f"{name}: bands {listed} are those of the training, in its order")
    scene = replace(scene, modalities=tuple(modalities.values()))
    return MatchedScene(scene, records, tuple(changes), tuple(unchecked))


def _matched(trained: SourceRecord, here: SourceRecord) -> tuple[SourceRecord, Sequence[str]]:
    """What the files say with their bands in the training's order; and what could not be checked of them."""
    bands = tuple(here.bands[position] for position in match_bands(trained, here))
    ordered = replace(here, bands=bands)
    notes = *_bands_unchecked(trained, here), *_values(trained, ordered), *_pixels(trained, here)
    return ordered, notes


def _check_count(trained: SourceRecord, here: SourceRecord) -> None:
    if len(trained.bands) != len(here.bands):
        raise SceneError(
            f"{here.name}: {here.file} gives {len(here.bands)} bands, the network takes {len(trained.bands)}",
            f"choose them with bands or drop_bands of {here.name}",
        )


def _bands_unchecked(trained: SourceRecord, here: SourceRecord) -> Sequence[str]:
    """A note where files do not say what the bands are."""
    ours, theirs = (
        record.tells_bands or all(band.color for band in record.bands) for record in (trained, here)
    )
    if ours and theirs:
        return ()
    silent = "its files do not say" if ours else "the training's files did not say"
    return (f"{here.name}: {silent} what the bands are: they are taken in their order",)


def _values(trained: SourceRecord, here: SourceRecord) -> Sequence[str]:
    """Notes on how the two scenes' numbers become values; raises where these cannot be the same quantity."""
    for band, other in zip(trained.bands, here.bands, strict=True):
        if not same_unit(band.unit, other.unit):
            _refuse(here, f"{other.title} is in {other.unit}", f"{band.unit} in the training", "convert it")
        if band.palette != other.palette:
            problem, hint = f"{other.title} has another palette", "expand both: gdal_translate -expand rgb"
            _refuse(here, problem, f"the training's had {'its own' if band.palette else 'none'}", hint)
    if trained.calibrations == here.calibrations:
        return _types(trained, here)
    ours, theirs = _calibration(trained), _calibration(here)
    note = f"{here.name}: values come with {theirs} here, with {ours} in the training"
    if trained.is_calibrated and here.is_calibrated:
        return (note,)
    # whole numbers without a scale are counts, while fractions may be the physical values themselves
    raw = here if trained.is_calibrated else trained
    if raw.dtype.startswith("float"):
        return (f"{note}, which are taken as the same quantity",)
    hint = f"say the scale and offset of {here.name} in the configuration, scale = 1 where there is none"
    _refuse(here, f"its values come with {theirs}", f"with {ours} in the training", hint)


def _types(trained: SourceRecord, here: SourceRecord) -> Sequence[str]:
    types = trained.dtype, here.dtype
    if len(set(types)) == 1 or trained.is_calibrated or here.is_calibrated:
        return ()
    if "int8" in [dtype.removeprefix("u") for dtype in types]:
        hint = f"say the scale of {here.name} in the configuration, scale = 1 where there is none"
        _refuse(here, f"values are {types[1]}", f"{types[0]} in the training, neither with a scale", hint)
    return (f"{here.name}: values are {here.dtype} here, {trained.dtype} in the training, without any scale",)


def _calibration(record: SourceRecord) -> str:
    """Scale and offset in words: those of the first band, and how many others there are."""
    if not record.is_calibrated:
        return "no scale"
    kinds = list(dict.fromkeys(record.calibrations))
    more = "" if len(kinds) == 1 else f" and {len(kinds) - 1} more"
    return f"scale {kinds[0][0]:g}, offset {kinds[0][1]:g}{more}"


def _pixels(trained: SourceRecord, here: SourceRecord) -> Sequence[str]:
    """Raise where a patch covers other ground than in the training, or the files resolve less or more."""
    if not (trained.grid_pixel and here.grid_pixel and trained.pixel and here.pixel):
        return (f"{here.name}: pixel sizes in metres are not known, so that they are not checked",)
    if not _near(trained.grid_pixel, here.grid_pixel):
        ours, theirs = _size(trained.grid_pixel), _size(here.grid_pixel)
        hint = "map on pixels of the training's size: --pixel-size with --extent, or --like"
        _refuse(here, f"patches would be cut of pixels of {theirs}", f"{ours} in the training", hint)
    if not _near(_coarser(trained.pixel, trained.grid_pixel), _coarser(here.pixel, here.grid_pixel)):
        ours, theirs = _size(trained.pixel), _size(here.pixel)
        hint = "take rasters of the training's pixel size"
        _refuse(here, f"pixels are of {theirs}", f"{ours} in the training", hint)
    return ()


def _coarser(pixel: Metres, grid_pixel: Metres) -> Metres:
    """What can be told apart on the grid."""
    return max(pixel[0], grid_pixel[0]), max(pixel[1], grid_pixel[1])


def _near(size: Metres, other: Metres) -> bool:
    largest = 1 + PIXEL_TOLERANCE
    return all(1 / largest <= a / b <= largest for a, b in zip(size, other, strict=True))


def _size(pixel: Metres) -> str:
    across, down = pixel
    return f"{across:.4g} m" if abs(across / down - 1) < 1e-3 else f"{across:.4g} x {down:.4g} m"


def _refuse(here: SourceRecord, problem: str, expected: str, hint: str) -> NoReturn:
    raise SceneError(f"{here.name}: {here.file}: {problem}, but {expected}", f"{hint}; {INSIST}")
