"""`mpmm check`: what a configuration holds, before training on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np

from mpmm.display import Console, say, scene_report, telling
from mpmm.errors import RunError
from mpmm.patches import ClassCount, Split, lost_per_class, usable_centres
from mpmm.preparation import check_patches, draw, network_spec
from mpmm.results import refuse_inputs
from mpmm.scene import AlignedScene
from mpmm.settings import Config, load_config


@click.command("check", short_help="Show what a configuration holds before training on it.")
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    metavar="PNG",
    help="Also draw the modalities, the labels and where the patches lie.",
)
def command(config: Path, picture: Path | None) -> None:
    """Show what CONFIG holds before training on it: files, values, classes, patches, memory and disk.

    Every file is read once and kept on the label grid in the scene's cache, as training does it; nothing else
    is written.

    \b
        mpmm check scene/mpmm.toml --picture scene.png
    """
    settings = load_config(config)
    if picture is not None:
        _check_picture(picture)
        refuse_inputs([picture], [config, *settings.read_files()])
    report = settings.scene.inspect()
    check_patches(settings, report)
    bands = {modality.name: len(modality.band_names) for modality in report.modalities}
    spec = network_spec(settings, bands, len(report.labels.classes))
    console = Console()
    scene_report.say_scene(console, report)
    with telling(console) as progress:
        scene = settings.scene.align(spec.modalities, progress)
    scene_report.say_modalities(console, report, missing_shares(scene))
    scene_report.say_classes(console, scene.classes, *count_centres(settings, scene))
    split = draw(settings, scene)
    scene_report.say_split(console, scene.classes, split)
    scene_report.say_needs(console, report, spec, settings)
    if picture is not None:
        _draw(picture, config, scene, split)
        say(console, "picture", str(picture))


def missing_shares(scene: AlignedScene) -> Mapping[str, float]:
    """Share of the label grid without data, by modality."""
    return {name: 1.0 - float(np.mean(modality.present)) for name, modality in scene.modalities.items()}


def count_centres(
    config: Config, scene: AlignedScene
) -> tuple[tuple[ClassCount, ...], tuple[ClassCount, ...]]:
    """Pixels of each class that can be a patch's centre: if every pixel had data, and as it is."""
    size, ids = config.patches.size, [cover.id for cover in scene.classes]
    everywhere = usable_centres([np.ones(scene.labels.shape, dtype=bool)], size)
    present = usable_centres([modality.present for modality in scene.modalities.values()], size)
    return lost_per_class(scene.labels, everywhere, ids), lost_per_class(scene.labels, present, ids)


def _check_picture(picture: Path) -> None:
    """Refuse a picture that could not be written, before the work is done."""
    if picture.suffix.lower() != ".png":
        raise RunError(f"{picture}: pictures are PNG files", "give a name that ends in .png")
    if not picture.parent.is_dir():
        raise RunError(f"{picture}: folder {picture.parent} does not exist", "make it, or name another")
    if picture.is_dir():
        raise RunError(f"{picture}: is a folder", "give the name of a file")


def _draw(picture: Path, config: Path, scene: AlignedScene, split: Split) -> None:
    # matplotlib takes a second to import
    from mpmm.pictures import draw_scene

    try:
        draw_scene(picture, str(config), scene, split)
    except OSError as error:
        raise RunError(f"{picture}: cannot be written: {error.strerror}", "name another file") from error
