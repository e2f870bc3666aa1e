"""`mpmm compile`: the kernels of a configuration's network, made before they are needed."""

from __future__ import annotations

from pathlib import Path

import click
from mpmm_kernels.runtime import carry_cache

from mpmm.display import Console, compiling, say
from mpmm.network import Network
from mpmm.patches import compile_reader
from mpmm.preparation import spec_of_headers
from mpmm.ranks import warm_up
from mpmm.settings import load_config


@click.command("compile", short_help="Compile a configuration's kernels ahead, here or to carry.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path, file_okay=False), help="A folder for a copy to carry.")
def command(config: Path, to: Path | None) -> None:
    """Compile what training and evaluating CONFIG's network needs, as the first run on a machine would.

    \b
        mpmm compile scene/mpmm.toml                     the next run starts in two seconds
        mpmm compile scene/mpmm.toml --to kernels        and a copy for an image or for other machines
        MPMM_KERNEL_CACHE=kernels mpmm train ...         takes that copy

    A copy serves machines with the same kind of processor and the same versions of mpmm, Numba and NumPy;
    others compile anew. Of the scene only headers and the classes are read.
    """
    console = Console()
    compile_reader()
    warm_up(Network(spec_of_headers(load_config(config))), compiling(console))
    say(console, "kernels", "all compiled")
    if to is not None:
        say(console, "copied to", str(carry_cache(to)))
