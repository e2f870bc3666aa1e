"""The network: parameters, layers, blocks, streams and fusion, loss, optimizer; knows no rank."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
