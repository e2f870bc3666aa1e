"""Layers besides convolution, a module each, forward and backward; Adam, and running averages."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
