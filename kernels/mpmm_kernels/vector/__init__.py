"""Vectors of the processor's registers inside compiled kernels: values, blocks of them, copies."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
