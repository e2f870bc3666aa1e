"""What a split says of each of several scenes for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mpmm.patches import PARTS, Split, overlap_share
from mpmm.scene import SceneRows


def split_by_scene(split: Split, members: Sequence[SceneRows]) -> dict[str, Any]:
    """Patches of each part, and the share of the held-out ones that training has seen, by scene.

    Parameters
    ----------
    split
        Of all scenes.
    members
        Where each lies on the common grid.
    """
    listed = {}
    for member in members:
        parts = {name: part.within(member.first, member.height) for name, part in split.parts.items()}
        listed[member.name] = {
            "counts": {name: len(samples) for name, samples in parts.items()},
            "leak": {
                name: overlap_share(parts[name], parts["train"], split.size)
                for name in PARTS[1:]
                if len(parts[name])
            },
        }
    return listed
