"""The synthetic scene: an invented town, written with the layout of DFC2018."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
