"""The weights' gradient of max-pooled convolutions, from the windows' largest elements alone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
