"""What compiled kernels run on: compiler, cache on disk, threads, work shared out among them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
