"""Whether several scenes lie where a run's split counts its patches."""

from __future__ import annotations

from mpmm.errors import RunError
from mpmm.preparation.prepared import Prepared, rows_of_scenes
from mpmm.results import RunFolder, read_scenes


def check_rows(folder: RunFolder | None, prepared: Prepared) -> None:
    """Refuse scenes of other numbers or sizes than those that a run's patches were drawn from.

    Parameters
    ----------
    folder
        The run folder, on ranks that have it.
    prepared
        What is read in place of the run's own scenes.

    Raises
    ------
    RunError
        Naming the first scene that differs.
    """
    own = () if folder is None else read_scenes(folder.path)
    here = rows_of_scenes(prepared.scene)
    if own and len(here) != len(own):
        names = ", ".join(member.name for member in own)
        raise RunError(
            f"{folder.path if folder else ''}: was trained on the scenes {names}",
            "describe as many, in this order",
        )
    for trained, member in zip(own, here, strict=False):
        if (trained.height, trained.width) != (member.height, member.width):
            raise RunError(
                f'scene "{member.name}" has {member.height} x {member.width} pixels, '
                f'"{trained.name}" had {trained.height} x {trained.width} in the training',
                "describe the scenes of the run in their order",
            )
