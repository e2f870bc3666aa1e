"""What can go wrong between ranks."""

from __future__ import annotations

from mpmm.errors import MpmmError


class MessageError(MpmmError):
    """A message does not fit its buffer, or MPI reports an error; the text names both ranks."""


class RankLost(MessageError):
    """The other rank of a message was killed; only where mpirun goes on without it (``--with-ft ulfm``)."""


class Stopped(MpmmError):
    """The process was asked to stop while it waited."""
