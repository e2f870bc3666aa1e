"""The command line: one file a command; only here are rooms wired together."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import click
from mpmm_kernels.runtime import (
    as_if_not_installed,
    kept_to_the_end,
    with_room_for_frames,
    written_code_kept,
)

from mpmm._version import __version__
from mpmm.errors import MpmmError

__all__ = ["COMMANDS", "main", "program"]

COMMANDS = {
    "synth": "Write a synthetic scene with the layout of DFC2018.",
    "check": "Show what a configuration holds before training on it.",
    "plan": "Show the network, its cost and what each rank will do.",
    "compile": "Compile a configuration's kernels ahead, here or to carry.",
    "train": "Train a network.",
    "watch": "Watch a run as it goes on.",
    "evaluate": "Score a trained run on its validation or test patches.",
    "map": "Classify every pixel of a scene.",
    "report": "Write a run's report, one HTML page.",
    "compare": "Run the paper's experiments on a scene.",
    "baselines": "Score KNN, SVM and a random forest on the same patches.",
    "crossvalidate": "Train and score once a fold, beside the baselines.",
}
# what the ranks of one mpirun do together; of any other command each does all by itself
TOGETHER = ("train", "evaluate", "map")


class _LazyGroup(click.Group):
    """Imports a command's file only when it is asked for, so that `mpmm --help` is instant."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names of the commands, in the order of their use."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import a command's file; None where there is no such command."""
        if name not in COMMANDS:
            return None
        with kept_to_the_end():
            if name in TOGETHER:
                # it gets one thread in any case, and to start one a core takes a tenth of the imports' time
                os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
                _import_numba()
            command: click.Command = importlib.import_module(f"mpmm.commands.{name}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with what each is for, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mpmm")
def program() -> None:
    """Train multi-modal 3D CNNs for land-cover classification on CPU machines.

    \b
    A first look, without any data of your own:
        mpmm synth scene               write a small synthetic scene and its configuration
        mpmm check scene/mpmm.toml     see what is in it
        mpmm train scene/mpmm.toml     train in this process
    """


@with_room_for_frames
def main() -> None:
    """Run the command line; exit with 0 done, 1 bad input, 2 wrong usage, 130 interrupted."""
    _print_in_any_encoding()
    _report_undecodable_words_once()
    try:
        with written_code_kept():
            code = program.main(standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        text = io.StringIO()
        error.show(text)
        _fail(text.getvalue(), 2)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except MpmmError as error:
        hint = f"hint: {error.hint}\n" if error.hint else ""
        _fail(f"error: {error.problem}\n{hint}", 1)
    except OSError as error:
        _stop_printing()
        if isinstance(error, BrokenPipeError):
            # whoever read the output has seen enough, as in `mpmm check scene.toml | head`; click exits alike
            sys.exit(1)
        name = "the output" if error.filename is None else error.filename
        _fail(f"error: {name}: {error.strerror or error}\nhint: look at the disk and its permissions\n", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _import_numba() -> None:
    """Import Numba without what it looks for besides, a twentieth of a rank's imports.

    It asks SciPy for nothing but its version, and YAML for settings in a file that is hardly ever there.
    """
    unread = () if Path(".numba_config.yaml").exists() else ("yaml",)
    with as_if_not_installed("scipy", *unread):
        importlib.import_module("numba")


def _fail(text: str, code: int) -> NoReturn:
    """Show what is wrong, once for all ranks that run a command together, and exit."""
    # takes a quarter of a second, which `mpmm --help` need not wait for
    from mpmm.messages import end_before_meeting, launched_ranks

    if launched_ranks() > 1 and sys.argv[1:2] and sys.argv[1] in TOGETHER:
        end_before_meeting(text, code)
    click.echo(text, err=True, nl=False)
    sys.exit(code)


def _stop_printing() -> None:
    """Send what is still to be printed nowhere: Python would try, and fail, to print it at its end."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _print_in_any_encoding() -> None:
    """Let what a terminal cannot show be shown by another sign, instead of ending the command."""
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _report_undecodable_words_once() -> None:
    """Keep Python from reporting that rasterio could not log GDAL's words.

    Its log takes them for UTF-8, which a file's own bytes within them may not be; the error they come with is
    told all the same. Cython reports what such a function raises twice: without a traceback, then with one.
    """
    show, report = sys.excepthook, sys.unraisablehook

    def show_others(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Show what has a traceback, or is no text that cannot be decoded."""
        if trace is not None or kind is not UnicodeDecodeError:
            show(kind, error, trace)

    def report_others(unraisable: sys.UnraisableHookArgs) -> None:
        """Report what is not from rasterio's log."""
        if unraisable.object != "rasterio._env.log_error":
            report(unraisable)

    sys.excepthook, sys.unraisablehook = show_others, report_others
