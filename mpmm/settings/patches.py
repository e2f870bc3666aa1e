"""The ``[patches]`` table of a configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpmm.errors import ConfigError
from mpmm.patches import SplitKind
from mpmm.settings.validation import values

# patches per class, as in the paper
PER_CLASS = 400


@dataclass(frozen=True)
class PatchesConfig:
    """``[patches]``: which pixels become patch centres, and how they are split.

    Attributes
    ----------
    size
        Rows and columns of a patch, odd.
    per_class
        Patches drawn per class; None: 400, and of a given split all.
    fraction
        Share of a class's usable pixels to draw, instead of ``per_class``.
    split
        "random" (the paper's protocol: neighbouring patches overlap), "block" (spatially disjoint),
        "folds" (spatially disjoint, each fold is for test once), or "given" by label rasters or a table.
    shares
        Shares of training, validation and test patches; they add up to 1. Of a given split the first two
        divide the training part, unless validation is given too.
    seed
        From which the draw and the split follow.
    augment
        Whether training patches are flipped and turned.
    components
        Principal components that stand for a modality's bands, by its name: how many. They are fitted on the
        training patches.
    folds, fold
        Of a spatial k-fold: how many folds, and which is for test, counted from 1; the next is validation.
    labels_train, labels_validation, labels_test
        Of a given split: label rasters of its parts, relative to the scene's folder. None for training: the
        scene's own labels; None for validation: drawn from the training part.
    parts
        Of a given split, instead of rasters: a CSV file with the columns row, column and part.

    Raises
    ------
    ConfigError
        A given split names both kinds of files, or another split names any.
    """

    size: values.Positive = 25
    per_class: values.Positive | None = None
    fraction: values.PositiveShare | None = None
    split: SplitKind = "random"
    shares: tuple[values.Share, values.Share, values.Share] = (0.7, 0.15, 0.15)
    seed: values.Count = 0
    augment: bool = False
    components: dict[str, values.Positive] = field(default_factory=dict)
    folds: values.Folds = 5
    fold: values.Positive = 1
    labels_train: str | None = None
    labels_validation: str | None = None
    labels_test: str | None = None
    parts: str | None = None

    def __post_init__(self) -> None:
        rasters = {key: getattr(self, key) for key in ("labels_train", "labels_validation", "labels_test")}
        named = [key for key, file in {**rasters, "parts": self.parts}.items() if file is not None]
        if self.split != "given" and named:
            raise ConfigError(
                f'patches: {named[0]} is for split = "given", the split is "{self.split}"',
                f'write split = "given", or leave {named[0]} out',
            )
        if self.parts is not None and len(named) > 1:
            raise ConfigError(
                f"patches: both parts and {named[0]} are given", "name rasters, or one CSV file"
            )

    @property
    def files(self) -> tuple[str, ...]:
        """Rasters and tables that a given split is read from, as the settings name them."""
        named = (self.labels_train, self.labels_validation, self.labels_test, self.parts)
        return tuple(name for name in named if name is not None)

    @property
    def limit(self) -> int | None:
        """Patches drawn per class at most; None: all there are."""
        return PER_CLASS if self.per_class is None and self.split != "given" else self.per_class
