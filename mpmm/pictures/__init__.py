"""Pictures: scenes, patches, confusion matrices and maps, as PNG."""

from mpmm.pictures.confusion import write_confusion_picture
from mpmm.pictures.map import draw_map
from mpmm.pictures.scene import draw_scene

__all__ = [
    "draw_map",
    "draw_scene",
    "write_confusion_picture",
]
