"""What a run reads, prepared in one process: the case of one rank, without MPI."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.messages import Collectives, LocalChannel
from mpmm.patches import Split
from mpmm.preparation.distributed import Restoration, prepare_on_ranks, restore_on_ranks
from mpmm.preparation.prepared import Prepared, Report, check_labels
from mpmm.preparation.rows import check_rows
from mpmm.preparation.several import agree, joined_inventory
from mpmm.results import RunFolder
from mpmm.scene import Scene
from mpmm.settings import Config


def prepare(config: Config, report: Report | None = None) -> tuple[Prepared, Split]:
    """Read the scene, draw the split, measure the normalisation; nothing is written but the scene's cache.

    Parameters
    ----------
    config
        The settings; the layout counts for nothing.
    report
        Called with the modality that is being aligned, and its share done.

    Raises
    ------
    MpmmError
        A raster, a patch setting or the network does not fit; one line says which.
    """
    preparation = prepare_on_ranks(Collectives(LocalChannel()), config, report)
    assert preparation.split is not None, "a new run has drawn its split"
    return preparation.prepared, preparation.split


def agreed(config: Config) -> Config:
    """The settings with the classes that several scenes share, by their headers; of one scene as they are.

    Raises
    ------
    MpmmError
        Scenes do not fit each other or the patch settings, or a class has no pixel in any.
    """
    if not config.further:
        return config
    config, inventories = agree(Collectives(LocalChannel()), config)
    check_labels(config, joined_inventory(config, inventories).labels)
    return config


def restore(folder: RunFolder, report: Report | None = None, scenes: Sequence[Scene] = ()) -> Prepared:
    """What a run was made with, from its folder; only the scene itself is read from where it lies.

    Parameters
    ----------
    folder
        The run folder.
    report
        Called with the modality that is being aligned, and its share done.
    scenes
        Where the rasters lie; none: where the run's settings say.

    Raises
    ------
    MpmmError
        The scene or the folder is not as the run left it.
    """
    collectives = Collectives(LocalChannel())
    prepared = restore_on_ranks(collectives, folder, Restoration(scenes=tuple(scenes)), report).prepared
    check_rows(folder, prepared)
    return prepared
