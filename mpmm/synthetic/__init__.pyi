from .city import SizeName
from .scene import write_synthetic

__all__ = ["SizeName", "write_synthetic"]
