"""`mpmm compile`: the kernels of a configuration's network, made before they are needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from mpmm_kernels.runtime import carry_cache

from mpmm.display import Console, compiling, say
from mpmm.errors import RunError
from mpmm.network import Network
from mpmm.preparation import spec_of_headers
from mpmm.ranks import warm_up
from mpmm.results import refuse_inputs, unwritable
from mpmm.settings import load_config


@click.command("compile", short_help="Compile a configuration's kernels ahead, here or to carry.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="A folder for a copy to carry.")
def command(config: Path, to: Path | None) -> None:
    """Compile what training and evaluating CONFIG's network needs, as the first run on a machine would.

    \b
        mpmm compile scene/mpmm.toml                     the next run starts in three seconds
        mpmm compile scene/mpmm.toml --to kernels        and a copy for an image or for other machines
        MPMM_KERNEL_CACHE=kernels mpmm train ...         takes that copy

    A copy serves machines with the same kind of processor and the same versions of mpmm, Numba and NumPy;
    others compile anew. Of the scene only headers and the classes are read.
    """
    console, settings = Console(), load_config(config)
    if to is not None:
        refuse_inputs([to], [config, *settings.read_files()])
    warm_up(Network(spec_of_headers(settings), drawn=False), compiling(console))
    say(console, "kernels", "all compiled")
    if to is not None:
        say(console, "copied to", str(_carried(to)))


def _carried(to: Path) -> Path:
    """Copy the kernels; where that cannot be written, one line says why."""
    try:
        return carry_cache(to)
    except shutil.Error as error:
        # of many files that could not be copied, the first tells why
        reason = error.args[0][0][2] if isinstance(error.args[0], list) else error
        raise RunError(f"{to}: the kernels cannot be copied: {reason}", "name another folder") from error
    except OSError as error:
        raise unwritable(to, error) from error
