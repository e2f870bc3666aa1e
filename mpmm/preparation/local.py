"""What a run reads, prepared in one process: the case of one rank, without MPI."""

from __future__ import annotations

from mpmm.messages import Collectives, LocalChannel
from mpmm.patches import Split
from mpmm.preparation.distributed import Restoration, prepare_on_ranks, restore_on_ranks
from mpmm.preparation.prepared import Prepared, Report
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


def restore(folder: RunFolder, report: Report | None = None, scene: Scene | None = None) -> Prepared:
    """What a run was made with, from its folder; only the scene itself is read from where it lies.

    Parameters
    ----------
    folder
        The run folder.
    report
        Called with the modality that is being aligned, and its share done.
    scene
        Where the rasters lie; None: where the run's settings say.

    Raises
    ------
    MpmmError
        The scene or the folder is not as the run left it.
    """
    collectives = Collectives(LocalChannel())
    return restore_on_ranks(collectives, folder, Restoration(scene=scene), report).prepared
