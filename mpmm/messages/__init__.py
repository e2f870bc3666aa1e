"""Messages between ranks: kinds and tags, channels, waiting, traffic; the only room that imports mpi4py."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
