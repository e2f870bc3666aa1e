"""The wiring of a run: training, evaluation and maps, in one process or over ranks; and the Python entry."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
