"""A scene: a label raster, its modalities, and the folder they lie in."""

from dataclasses import dataclass
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.labels import Labels
from mpmm.scene.modality import Modality


@dataclass(frozen=True)
class Scene:
    """A label raster and named modalities; making one opens no file.

    Parameters
    ----------
    folder
        What relative file names start from.
    labels
        The label raster; its grid is the scene's.
    modalities
        The sensors.
    cache
        Where the aligned scene is kept; None: ``.mpmm_cache`` in the folder.
    """

    folder: Path
    labels: Labels
    modalities: tuple[Modality, ...]
    cache: Path | None = None

    def __post_init__(self) -> None:
        names = [modality.name for modality in self.modalities]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SceneError(
                f"modalities {twice} are named more than once", "give each modality its own name"
            )
