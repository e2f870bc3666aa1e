"""Which rank owns which block, and what each rank does in a step, as data."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
