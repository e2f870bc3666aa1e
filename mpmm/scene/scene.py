"""A scene: a label raster, its modalities, and the folder they lie in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mpmm.errors import SceneError
from mpmm.scene.aligned import AlignedLabels, AlignedModality, AlignedScene, Progress
from mpmm.scene.cache_folder import CacheFolder
from mpmm.scene.files import find_files
from mpmm.scene.grid import Grid
from mpmm.scene.labels import Labels
from mpmm.scene.modality import Modality
from mpmm.scene.report import LabelReport, SceneReport
from mpmm.scene.source_record import ModalitySurvey, SourceRecord

if TYPE_CHECKING:
    from mpmm.scene import dfc2018, reading
    from mpmm.scene.own_files import OwnFiles
else:
    import lazy_loader

    # what opens rasters, a tenth of a start: one rank of a machine does it where the scene is prepared
    dfc2018 = lazy_loader.load("mpmm.scene.dfc2018", suppress_warning=True)
    reading = lazy_loader.load("mpmm.scene.reading", suppress_warning=True)

# what the whole of one of several scenes may be for
WholePart = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Scene:
    """A label raster and named modalities; making one opens no file.

    Parameters
    ----------
    folder
        What relative file names start from.
    labels
        The label raster; its grid is the scene's. None: modalities can be aligned on a grid that is given.
    modalities
        The sensors' rasters, each under its own name.
    cache
        Where the aligned scene is kept; None: ``.mpmm_cache`` in the folder.
    name
        By which one of several scenes is told from the others; None: that of the folder.
    part
        Of several scenes with a given split: what all of this one's pixels are for; None: as the split says.
    """

    folder: Path
    labels: Labels | None
    modalities: tuple[Modality, ...]
    cache: Path | None = None
    name: str | None = None
    part: WholePart | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        names = [modality.name for modality in self.modalities]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SceneError(
                f"modalities {twice} are named more than once", "give each modality its own name"
            )

    @classmethod
    def dfc2018(
        cls, folder: Path, lidar: bool = False, cache: Path | None = None, partly: bool = False
    ) -> Scene:
        """Find the files of the 2018 IEEE GRSS Data Fusion Contest (Houston) and describe them.

        Parameters
        ----------
        folder
            The contest's folder, its ``Phase2``, or the folder that holds it.
        lidar
            Whether to add the seven LiDAR rasters as a third modality, ``lidar``.
        cache
            Where the aligned scene is kept; None: ``.mpmm_cache`` in the folder.
        partly
            Whether files may be missing here because another machine has them.

        Raises
        ------
        SceneError
            Where a file is missing: what was looked for, and where.
        """
        labels, modalities = dfc2018.find(Path(folder), lidar, partly)
        return cls(Path(folder), labels, modalities, cache)

    @property
    def title(self) -> str:
        """The scene's name, or its folder's."""
        return self.name or self.folder.resolve().name or "scene"

    @property
    def cache_folder(self) -> Path:
        """Where the aligned scene is kept."""
        return self.folder / (self.cache or ".mpmm_cache")

    def grid(self) -> Grid:
        """Return the label raster's grid, from its header."""
        return reading.grid_of(self)

    def inspect(self) -> SceneReport:
        """Report on every file and check all of them, without writing anything.

        Headers are read, the labels are counted, values are sampled.

        Raises
        ------
        SceneError
            For anything that would keep the scene from being aligned.
        """
        return reading.inspected(self)

    def inspect_labels(self) -> LabelReport:
        """Report on the labels alone, without writing anything."""
        return self.survey_labels()[0]

    def survey_labels(self) -> tuple[LabelReport, CacheFolder]:
        """Report on the labels alone, and say where they lie once they are prepared."""
        return reading.surveyed_labels(self)

    def align(
        self, modalities: Sequence[str] | None = None, progress: Progress | None = None
    ) -> AlignedScene:
        """Prepare the scene on its label grid, or reuse what is prepared, and map it.

        Parameters
        ----------
        modalities
            Names of the modalities to align; None: all.
        progress
            Called with a modality's name and the share of it that is done.

        Raises
        ------
        SceneError
            For every bad input, before anything is written; or where the disk fills up.
        """
        return reading.aligned(self, modalities, progress)

    def align_modality(
        self, name: str, grid: Grid | None = None, progress: Progress | None = None
    ) -> AlignedModality:
        """Prepare or reuse one modality alone; without ``grid`` the label raster's is read."""
        return self.align_on(grid or self.grid(), [name], progress)[name]

    def align_on(
        self, grid: Grid, modalities: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, AlignedModality]:
        """Prepare or reuse modalities on any grid, by name; the scene needs no labels for it."""
        return reading.aligned_on(self, grid, modalities, progress)

    def map_prepared(
        self, folders: Mapping[str, CacheFolder], band_names: Mapping[str, tuple[str, ...]]
    ) -> dict[str, AlignedModality]:
        """Map modalities that are ready in the cache, by name; no raster is opened.

        Parameters
        ----------
        folders
            Where each lies, by `survey`.
        band_names
            One name a band, of each modality, by `survey`: what is kept is the same by whichever names.
        """
        known = {modality.name: modality for modality in self.modalities}
        return {
            name: AlignedModality.of_cache(known[name], folder, band_names[name])
            for name, folder in folders.items()
        }

    def files_here(self) -> frozenset[str]:
        """Names of the modalities whose files all exist here, and "labels"; nothing is opened."""
        labels = [] if self.labels is None else [("labels", (self.labels.file,))]
        sources = [*labels, *((modality.name, modality.files) for modality in self.modalities)]
        here = frozenset(name for name, files in sources if self.has_files(name, files))
        if self.labels is None or not self.labels.is_burned:
            return here
        # whoever burns labels needs the headers that tell the grid
        needed = {each.name for each in self.modalities if self.labels.may_lie_on(each.name)}
        return here if needed <= here else here - {"labels"}

    def record_of(self, name: str, grid: Grid) -> SourceRecord:
        """Return what a modality's headers say of its bands, and of its pixels on this grid."""
        return self.survey(name, grid).record

    def survey(self, name: str, grid: Grid) -> ModalitySurvey:
        """Return `record_of` a modality, its bands' names, and by which key it is kept once prepared."""
        return reading.surveyed(self, name, grid)

    def read_labels(self) -> AlignedLabels:
        """Prepare or reuse the labels alone."""
        return reading.labels_of(self)

    def own_files(self) -> OwnFiles:
        """What no pattern of a modality means."""
        return reading.own_files(self)

    def has_files(self, name: str, files: Sequence[str]) -> bool:
        """Whether files of these names or patterns exist; nothing is opened. ``name`` is whose they are."""
        try:
            return bool(find_files(self.folder, files, name))
        except SceneError:
            return False
