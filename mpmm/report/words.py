"""Numbers as people read them on a page: bytes, seconds, percent, shares of time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def in_bytes(count: float) -> str:
    """Bytes with a unit, in powers of ten as links are rated."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}" if unit != "B" else f"{value:.0f} B"
        value /= 1000
    return f"{value:.3g} TB"


def in_time(seconds: float) -> str:
    """Seconds, minutes or hours, in two units at most."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def in_percent(value: float | None, digits: int = 1) -> str:
    """A share in percent; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def as_number(value: float | None, digits: int = 3) -> str:
    """A number with so many decimals; a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def as_short(value: float | None) -> str:
    """A number of any size by its first three digits; a dash where there is none."""
    return "–" if value is None else f"{value:.3g}"


def as_shape(lengths: Sequence[int]) -> str:
    """Lengths of an array's axes, as in 16 × 22 × 11 × 11."""
    return " × ".join(map(str, lengths))


def counted(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
