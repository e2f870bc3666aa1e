"""A scene: a label raster, its modalities, and the folder they lie in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mpmm.errors import SceneError
from mpmm.scene import dfc2018
from mpmm.scene.aligned import AlignedLabels, AlignedModality, AlignedScene
from mpmm.scene.aligning import BLOCK_CACHE_BYTES, WINDOW_BYTES
from mpmm.scene.burning_grid import burning_grid, grid_modalities, is_burned
from mpmm.scene.cache import CacheEntry, check_space, free_bytes, make_folder
from mpmm.scene.files import find_files
from mpmm.scene.grid import Grid
from mpmm.scene.inspecting import inspect_labels, inspect_modality
from mpmm.scene.label_reading import LabelPlan, plan_burned_labels, plan_labels
from mpmm.scene.labels import Labels
from mpmm.scene.modality import Modality, check_modalities
from mpmm.scene.own_files import OwnFiles
from mpmm.scene.plan import ModalityPlan, plan_modality
from mpmm.scene.preparing import (
    Progress,
    check_sources,
    id_counts,
    labels_entry,
    modality_entry,
    prepare_labels,
    prepare_modality,
)
from mpmm.scene.report import LabelReport, SceneReport
from mpmm.scene.source_record import SourceRecord

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
    ) -> "Scene":
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
        return self._label_plan().raster.grid

    def inspect(self) -> SceneReport:
        """Report on every file and check all of them, without writing anything.

        Headers are read, the labels are counted, values are sampled.

        Raises
        ------
        SceneError
            For anything that would keep the scene from being aligned.
        """
        label_plan = self._label_plan()
        plans = self._plans(None, label_plan.raster.grid)
        label_entry = labels_entry(self.folder, self.cache_folder, label_plan)
        labels = inspect_labels(label_plan, id_counts(label_entry, label_plan))
        entries = [self._entry(plan) for plan in plans]
        modalities = tuple(inspect_modality(plan, entry) for plan, entry in zip(plans, entries, strict=True))
        return SceneReport(
            folder=self.folder,
            cache=self.cache_folder,
            labels=labels,
            modalities=modalities,
            cache_bytes=sum(entry.bytes for entry in [label_entry, *entries]),
            to_write_bytes=_bytes_to_write([label_entry, *entries]),
            free_bytes=free_bytes(self.cache_folder),
            memory_bytes=WINDOW_BYTES + BLOCK_CACHE_BYTES,
        )

    def inspect_labels(self) -> LabelReport:
        """Report on the labels alone, without writing anything."""
        plan = self._label_plan()
        return inspect_labels(plan, id_counts(labels_entry(self.folder, self.cache_folder, plan), plan))

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
        label_plan = self._label_plan()
        grid = label_plan.raster.grid
        plans = self._plans(modalities, grid)
        label_entry = labels_entry(self.folder, self.cache_folder, label_plan)
        id_counts(label_entry, label_plan)
        entries = [self._entry(plan) for plan in plans]
        for plan, entry in zip(plans, entries, strict=True):
            check_sources(entry, plan)
        self._check_space([label_entry, *entries])
        labels = prepare_labels(label_entry, label_plan)
        aligned = {
            plan.modality.name: prepare_modality(entry, plan, progress)
            for plan, entry in zip(plans, entries, strict=True)
        }
        return AlignedScene(grid, labels.classes, labels.ids, aligned)

    def align_modality(
        self, name: str, grid: Grid | None = None, progress: Progress | None = None
    ) -> AlignedModality:
        """Prepare or reuse one modality alone; without ``grid`` the label raster's is read."""
        return self.align_on(grid or self.grid(), [name], progress)[name]

    def align_on(
        self, grid: Grid, modalities: Sequence[str] | None = None, progress: Progress | None = None
    ) -> dict[str, AlignedModality]:
        """Prepare or reuse modalities on any grid, by name; the scene needs no labels for it."""
        plans = self._plans(modalities, grid)
        entries = [self._entry(plan) for plan in plans]
        for plan, entry in zip(plans, entries, strict=True):
            check_sources(entry, plan)
        self._check_space(entries)
        return {
            plan.modality.name: prepare_modality(entry, plan, progress)
            for plan, entry in zip(plans, entries, strict=True)
        }

    def files_here(self) -> frozenset[str]:
        """Names of the modalities whose files all exist here, and "labels"; nothing is opened."""
        labels = [] if self.labels is None else [("labels", (self.labels.file,))]
        sources = [*labels, *((modality.name, modality.files) for modality in self.modalities)]
        here = frozenset(name for name, files in sources if self._exist(name, files))
        if self.labels is None or not is_burned(self.labels):
            return here
        # whoever burns labels needs the headers that tell the grid
        needed = {modality.name for modality in grid_modalities(self.labels, self.modalities)}
        return here if needed <= here else here - {"labels"}

    def record_of(self, name: str, grid: Grid) -> SourceRecord:
        """Return what a modality's headers say of its bands, and of its pixels on this grid."""
        (plan,) = self._plans([name], grid)
        return SourceRecord.of(plan)

    def read_labels(self) -> AlignedLabels:
        """Prepare or reuse the labels alone."""
        plan = self._label_plan()
        return prepare_labels(labels_entry(self.folder, self.cache_folder, plan), plan)

    def _label_plan(self) -> LabelPlan:
        if self.labels is None:
            raise SceneError(
                f"{self.folder}: the scene has no label raster",
                "add [scene.labels]; only `mpmm map` does without, on a grid given by --like or --extent",
            )
        if is_burned(self.labels):
            grid = burning_grid(self.folder, self.labels, self.modalities, self.own_files().holds)
            return plan_burned_labels(self.folder, self.labels, grid)
        return plan_labels(self.folder, self.labels, self._made_files().holds)

    def _plans(self, names: Sequence[str] | None, grid: Grid) -> list[ModalityPlan]:
        known = {modality.name: modality for modality in self.modalities}
        check_modalities(names or (), known)
        chosen = known if names is None else names
        own = self.own_files()
        plans = [plan_modality(self.folder, known[name], grid, own.holds) for name in chosen]
        for plan in plans:
            self._check_labels_apart(plan, own)
        return plans

    def own_files(self) -> OwnFiles:
        """What no pattern of a modality means."""
        files: tuple[Path, ...] = ()
        if self.labels is not None and self._exist("labels", (self.labels.file,)):
            files = find_files(self.folder, [self.labels.file], "labels", self._made_files().holds)
        return OwnFiles(files, self.cache_folder)

    def _made_files(self) -> OwnFiles:
        """What no pattern of the labels means."""
        return OwnFiles((), self.cache_folder)

    def _check_labels_apart(self, plan: ModalityPlan, own: OwnFiles) -> None:
        """Refuse a modality that gives the network the very band it is to predict."""
        for layer in plan.layers:
            for tile in layer.mosaic.tiles:
                path, bands = tile.raster.path, layer.mosaic.bands
                if own.labels and own.gives_answers(path, bands, self._label_plan().band):
                    raise SceneError(
                        f"{plan.modality.name}: {path} is the label raster, "
                        f"band {self._label_plan().band} its labels",
                        "take it out of files, or the band by drop_bands: the network would see the answers",
                    )

    def _exist(self, name: str, files: Sequence[str]) -> bool:
        try:
            return bool(find_files(self.folder, files, name))
        except SceneError:
            return False

    def _entry(self, plan: ModalityPlan) -> CacheEntry:
        return modality_entry(self.folder, self.cache_folder, plan)

    def _check_space(self, entries: list[CacheEntry]) -> None:
        needed = _bytes_to_write(entries)
        if needed:
            check_space(self.cache_folder, needed, "scene")
            make_folder(self.cache_folder)


def _bytes_to_write(entries: list[CacheEntry]) -> int:
    return sum(entry.bytes_to_write() for entry in entries)
