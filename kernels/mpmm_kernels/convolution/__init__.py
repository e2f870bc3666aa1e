"""Blocks (convolution, bias, activation, pool): a plan says what is computed, a method how."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
