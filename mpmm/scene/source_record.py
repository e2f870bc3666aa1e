"""What a run keeps of a modality's files, and another scene is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from mpmm.errors import RunError
from mpmm.scene.bands import IDENTITY, Band

Metres = tuple[float, float]
Factor = tuple[float, float]


@dataclass(frozen=True)
class SourceRecord:
    """What a modality's files say of its bands, and how these come onto the grid.

    Attributes
    ----------
    name, file
        The modality, and the first of its files.
    dtype
        Value type in the files.
    bands
        The bands that are kept, in their order.
    given
        Scale and offset that the configuration gives; None: the files' own count.
    pixel, grid_pixel
        Width and height in metres of a pixel of the files and of the grid; None where nothing tells.
    factor
        Pixels of the files in one of the grid, along rows and columns; None in runs of an older mpmm.
    low, high
        Smallest and largest value of each band in training patches; empty where none have been measured.
    """

    name: str
    file: str
    dtype: str
    bands: tuple[Band, ...]
    given: tuple[float, float] | None = None
    pixel: Metres | None = None
    grid_pixel: Metres | None = None
    factor: Factor | None = None
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def calibrations(self) -> tuple[tuple[float, float], ...]:
        """Scale and offset by which each band's values come from the files' numbers."""
        return tuple(band.calibration if self.given is None else self.given for band in self.bands)

    @property
    def is_calibrated(self) -> bool:
        """Whether files or configuration say how numbers become physical values."""
        return self.given is not None or any(band.calibration != IDENTITY for band in self.bands)

    @property
    def tells_bands(self) -> bool:
        """Whether the files tell more of any band than its number."""
        return any(band.is_told for band in self.bands)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes and gives back to the bit."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Restore a record from what `to_dict` gave.

        Raises
        ------
        RunError
            A value is missing or not of its kind.
        """
        try:
            return cls(
                name=str(plain["name"]),
                file=str(plain["file"]),
                dtype=str(plain["dtype"]),
                bands=tuple(Band.from_dict(band) for band in plain["bands"]),
                given=_pair(plain["given"]),
                pixel=_pair(plain["pixel"]),
                grid_pixel=_pair(plain["grid_pixel"]),
                factor=_pair(plain.get("factor")),
                low=tuple(map(float, plain["low"])),
                high=tuple(map(float, plain["high"])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"bands.json: {error} is missing or wrong", "restore the run's files from a copy"
            ) from error


@dataclass(frozen=True)
class ModalitySurvey:
    """What a modality's headers tell.

    Attributes
    ----------
    record
        Of its files and their bands.
    band_names
        One name a band, as `AlignedModality` has them.
    key
        Of the folder where the modality lies once it is prepared for the grid that was asked for.
    """

    record: SourceRecord
    band_names: tuple[str, ...]
    key: str


def _pair(plain: Any) -> tuple[float, float] | None:
    if plain is None:
        return None
    first, second = map(float, plain)
    return first, second
