"""Products of satellites and aircraft, read unchanged from the layout that their publishers give them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
