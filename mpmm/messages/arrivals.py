"""Which of several receives are complete, found by one look at all that has come."""

from __future__ import annotations

from typing import Generic, TypeVar

from mpmm.messages.transfer import Receiving
from mpmm.messages.transport import Wire
from mpmm.messages.waiting import Waiter

Token = TypeVar("Token")


class Arrivals(Generic[Token]):
    """Looks after several receives at once.

    The server waits for some twenty pushes together. Asking MPI for each costs 80 us a look, asking for any
    message 5: only what has come, or is on its way into its buffer, is looked at by itself.

    Parameters
    ----------
    wire, waiter
        Of all the receives.
    """

    def __init__(self, wire: Wire, waiter: Waiter) -> None:
        self._wire = wire
        self._waiter = waiter
        # by what MPI says of a message, and those that have to be looked at
        self._expected: dict[tuple[int, int], tuple[Receiving, Token]] = {}
        self._begun: list[tuple[Receiving, Token]] = []
        self._found: list[Token] = []

    def __len__(self) -> int:
        return len(self._expected) + len(self._begun) + len(self._found)

    def expect(self, receiving: Receiving, token: Token) -> None:
        """Look after a receive too; ``token`` is what `next` gives when it is complete."""
        key = receiving.peer, receiving.tag
        if receiving.matched or key in self._expected:
            self._begun.append((receiving, token))
        else:
            self._expected[key] = receiving, token

    def next(self) -> list[Token]:
        """Wait until at least one of the receives is complete; the tokens of all that are by now."""
        if not self._look():
            self._waiter.until(self._look, self._text())
        found, self._found = self._found, []
        return found

    def _look(self) -> bool:
        """Whether any is complete."""
        while self._expected and (came := self._wire.peek_any()) is not None:
            one = self._expected.pop(came, None)
            if one is None:
                # a message that nobody here waits for hides those behind it: each has to be looked at
                self._begun += self._expected.values()
                self._expected.clear()
                break
            self._sort(one)
        begun, self._begun = self._begun, []
        for one in begun:
            self._sort(one)
        return bool(self._found)

    def _sort(self, one: tuple[Receiving, Token]) -> None:
        """Look at one receive; it is complete, or has to be looked at again."""
        if one[0].done():
            self._found.append(one[1])
        else:
            self._begun.append(one)

    def _text(self) -> str:
        """Several messages in words, of which the first are enough."""
        waiting = [*self._begun, *self._expected.values()]
        text = " or ".join(receiving.what for receiving, _ in waiting[:3])
        return f"{text} or {len(waiting) - 3} more" if len(waiting) > 3 else text
