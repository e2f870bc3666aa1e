"""Pictures: scenes, patches, confusion matrices, maps and their layers, as PNG and JPEG."""

from mpmm.pictures.confusion import write_confusion_picture
from mpmm.pictures.curves import draw_curves
from mpmm.pictures.layers import distinct, footprints, look, palette_png, positions_of, stride_of
from mpmm.pictures.map import draw_map
from mpmm.pictures.scene import draw_scene

__all__ = [
    "distinct",
    "draw_curves",
    "draw_map",
    "draw_scene",
    "footprints",
    "look",
    "palette_png",
    "positions_of",
    "stride_of",
    "write_confusion_picture",
]
