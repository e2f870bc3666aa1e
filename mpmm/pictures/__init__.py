"""Pictures: scenes, patches, confusion matrices, maps and their layers, as PNG and JPEG."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
