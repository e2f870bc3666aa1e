"""What a rank can be told to do about the norm of all gradients, by which they are clipped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SumSquares:
    """Sum the squares of the gradients by which a layer will be moved; ``parts`` are as in `Update`."""

    layer: str
    parts: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return f"sum the squares of the gradients of {self.layer}"


@dataclass(frozen=True)
class Clip:
    """Take the norm of all gradients, whose squares are here: from now on it clips them."""

    def __str__(self) -> str:
        return "take the norm of all gradients"
