"""Which of several receives are complete, found by one look at all that has come."""

from __future__ import annotations

from typing import Generic, TypeVar

from mpmm.messages.transfer import ReceiveRequest
from mpmm.messages.transport import Transport
from mpmm.messages.waiting import Waiter

Token = TypeVar("Token")


class Arrivals(Generic[Token]):
    """Looks after several receives at once.

    The server waits for some twenty pushes together. Asking MPI for each costs 80 us a look, asking for any
    message 5: only what has come, or is on its way into its buffer, is looked at by itself.

    Parameters
    ----------
    transport
        Moves the bytes of all the receives.
    waiter
        Waits until one of them is complete.
    """

    def __init__(self, transport: Transport, waiter: Waiter) -> None:
        self._transport = transport
        self._waiter = waiter
        # by what MPI says of a message, and those that have to be looked at
        self._expected: dict[tuple[int, int], tuple[ReceiveRequest, Token]] = {}
        self._started: list[tuple[ReceiveRequest, Token]] = []
        self._complete: list[Token] = []

    def __len__(self) -> int:
        return len(self._expected) + len(self._started) + len(self._complete)

    def expect(self, request: ReceiveRequest, token: Token) -> None:
        """Look after a receive too; ``token`` is what `next` gives when it is complete."""
        key = request.peer, request.tag
        if request.matched or key in self._expected:
            self._started.append((request, token))
        else:
            self._expected[key] = request, token

    def next(self) -> list[Token]:
        """Wait until at least one of the receives is complete; the tokens of all that are by now."""
        if not self._look():
            self._waiter.until(self._look, self._text())
        complete, self._complete = self._complete, []
        return complete

    def _look(self) -> bool:
        """Whether any is complete."""
        while self._expected and (probed := self._transport.probe_any()) is not None:
            expected = self._expected.pop(probed, None)
            if expected is None:
                # a message that nobody here waits for hides those behind it: each has to be looked at
                self._started += self._expected.values()
                self._expected.clear()
                break
            self._sort(*expected)
        started, self._started = self._started, []
        for request, token in started:
            self._sort(request, token)
        return bool(self._complete)

    def _sort(self, request: ReceiveRequest, token: Token) -> None:
        """Look at one receive; it is complete, or has to be looked at again."""
        if request.done():
            self._complete.append(token)
        else:
            self._started.append((request, token))

    def _text(self) -> str:
        """Several messages in words, of which the first are enough."""
        waiting = [*self._started, *self._expected.values()]
        text = " or ".join(request.label for request, _ in waiting[:3])
        return f"{text} or {len(waiting) - 3} more" if len(waiting) > 3 else text
