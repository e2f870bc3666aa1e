"""The envelope of messages: what MPI matches a send with its receive by, with the words for errors."""

from __future__ import annotations

from mpmm.messages.kinds import Kind, tag_of


class Envelope:
    """Kind, item and peer of the messages between this rank and one other, and what follows from them.

    Parameters
    ----------
    kind, item
        What the messages carry; they decide the tag.
    rank, peer
        This rank and the other.

    Attributes
    ----------
    tag
        The messages' MPI tag.
    sent, received
        A message each way in words.

    Raises
    ------
    MessageError
        There is no tag for the item.
    """

    __slots__ = ("kind", "peer", "received", "sent", "tag")

    def __init__(self, kind: Kind, item: int, rank: int, peer: int) -> None:
        self.kind, self.peer, self.tag = kind, peer, tag_of(kind, item)
        label = f"rank {rank}: {kind.label} {item}"
        self.sent, self.received = f"{label} to rank {peer}", f"{label} from rank {peer}"
