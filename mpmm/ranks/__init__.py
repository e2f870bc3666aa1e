"""The roles: worker, parameter server, driver; they play a schedule, one process all of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
