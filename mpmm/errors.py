"""The one family of errors that mpmm raises on purpose: what was found, what was expected, what to do."""

import errno
import unicodedata

# of a disk, a quota or a limit on files that is reached; any other number is of a folder that takes no files
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class MpmmError(Exception):
    """Root of every error that mpmm raises on purpose.

    Parameters
    ----------
    problem
        One line: what came and what was expected, naming the file, layer or key.
    hint
        One line: what the user can do about it.
    """

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem, self.hint = in_one_line(problem), in_one_line(hint)
        super().__init__(self.problem, self.hint)

    def __str__(self) -> str:
        return f"{self.problem} ({self.hint})" if self.hint else self.problem


def in_one_line(text: str) -> str:
    """The text with line breaks and other control characters, which names of files may have, as escapes."""
    return "".join(
        sign.encode("unicode_escape").decode() if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign
        for sign in text
    )


class InputError(MpmmError):
    """Something the user gave cannot be used; the command line exits with 1."""


class ConfigError(InputError):
    """A key or value of the configuration is wrong."""


class SceneError(InputError):
    """A raster is missing, unreadable, or does not fit the others."""


class PatchError(InputError):
    """Patches cannot be drawn as asked for."""


class NetworkError(InputError):
    """A layer does not fit its input; the message names the layer."""


class LayoutError(InputError):
    """A layout cannot be used with this network or number of ranks."""


class RunError(InputError):
    """A run folder or checkpoint is missing, damaged, or of another network."""
