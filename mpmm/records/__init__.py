"""What a run folder says of a run, also an old, interrupted or foreign one: read, never guessed."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
