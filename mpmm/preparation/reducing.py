"""Principal components in place of a modality's bands, where settings ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mpmm.errors import ConfigError
from mpmm.patches import (
    Normalization,
    Projection,
    Samples,
    fit_projection,
    measure_normalization,
    project_values,
)
from mpmm.scene import AlignedModality, AlignedScenes, JoinedModality, check_modalities
from mpmm.settings import Config

Bands = AlignedModality | JoinedModality


def network_bands(config: Config, bands: Mapping[str, int]) -> dict[str, int]:
    """What a network reads of each modality: its bands, or the components that stand for them.

    Raises
    ------
    SceneError
        Components are asked for of a modality that the scene has not.
    ConfigError
        More of them are than it has bands.
    """
    names = [modality.name for modality in config.scene.modalities]
    check_modalities(config.patches.components, names, "patches.components")
    for name, count in config.patches.components.items():
        if count > bands.get(name, count):
            raise ConfigError(
                f"patches.components: {count} components of {name}, which has {bands[name]} bands",
                "ask for no more components than bands",
            )
    return {name: config.patches.components.get(name, count) for name, count in bands.items()}


def measured(config: Config, modality: Bands, samples: Samples) -> Normalization:
    """A modality's normalisation, with the components that come before it, from training samples alone."""
    components, size = config.patches.components.get(modality.name), config.patches.size
    if components is None:
        return measure_normalization(modality, samples, size)
    projection = fit_projection(modality, samples, size, components)
    normalization = measure_normalization(_reduced(modality, projection), samples, size)
    return replace(normalization, projection=projection)


def reduced_scene(scene: AlignedScenes, normalizations: Mapping[str, Normalization]) -> AlignedScenes:
    """The scene with components in place of the bands of those modalities that have some."""
    reduced = {
        name: _reduced(modality, normalizations[name].projection)
        for name, modality in scene.modalities.items()
    }
    # one scene's modalities are of one kind, several scenes' of another, and so are the reduced ones
    changes: dict[str, Any] = {"modalities": reduced}
    return replace(scene, **changes)


def _reduced(modality: Bands, projection: Projection | None) -> Bands:
    if projection is None:
        return modality
    names = tuple(f"component {number}" for number in range(1, projection.components + 1))
    if isinstance(modality, AlignedModality):
        return replace(modality, values=project_values(modality.values, projection), band_names=names)
    pieces = tuple((first, project_values(values, projection)) for first, values in modality.pieces)
    return replace(modality, pieces=pieces, band_names=names)
