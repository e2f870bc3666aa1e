"""The paper's experiments on a scene of one's own, each with its tables, figures and run folders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
