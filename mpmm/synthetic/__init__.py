"""The synthetic scene: an invented town, written with the layout of DFC2018."""

from mpmm.synthetic.city import SizeName
from mpmm.synthetic.scene import write_synthetic

__all__ = ["SizeName", "write_synthetic"]
