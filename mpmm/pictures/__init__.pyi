from .confusion import write_confusion_picture
from .curves import draw_curves
from .layers import distinct, footprints, look, palette_png, positions_of, stride_of
from .map import draw_map
from .scene import draw_scene

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
