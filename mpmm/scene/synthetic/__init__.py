"""The synthetic scene: an invented town, written with the layout of DFC2018."""

from mpmm.scene.synthetic.city import SizeName
from mpmm.scene.synthetic.scene import write_synthetic

__all__ = ["SizeName", "write_synthetic"]
