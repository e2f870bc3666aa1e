"""What a run reads: scene, split and normalisation, prepared on one rank or several."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
