"""`mpmm check`: what a configuration holds, before training on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from mpmm.display import Console, say, say_split_of_scenes, scene_report, telling
from mpmm.errors import RunError
from mpmm.patches import ClassCount, Split, lost_per_class, usable_centres
from mpmm.preparation import agreed, check_patches, draw, network_spec, rows_of_scenes
from mpmm.results import refuse_inputs
from mpmm.scene import AlignedScene, Scene, SceneReport, SceneRows, join_scenes
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
    scenes = settings.scenes
    if picture is not None:
        _check_picture(picture)
        refuse_inputs([picture], [config, *settings.read_files()])
    settings = agreed(settings)
    reports = [scene.inspect() for scene in settings.scenes]
    if len(scenes) == 1:
        check_patches(settings, reports[0])
    bands = {modality.name: len(modality.band_names) for modality in reports[0].modalities}
    spec = network_spec(settings, bands, len(reports[0].labels.classes))
    console = Console()
    aligned = [_shown(console, settings, *pair) for pair in zip(settings.scenes, reports, strict=True)]
    whole = aligned[0] if len(aligned) == 1 else join_scenes([each.title for each in scenes], aligned)
    split = draw(settings, whole)
    scene_report.say_split(console, whole.classes, split)
    members = rows_of_scenes(whole)
    say_split_of_scenes(console, split, members)
    scene_report.say_needs(console, reports, spec, settings)
    if picture is None:
        return
    for path, scene, own in _pictures(picture, aligned, split, members):
        _draw(path, config, scene, own)
        say(console, "picture", str(path))


def _shown(console: Console, settings: Config, scene: Scene, report: SceneReport) -> AlignedScene:
    """Say what a scene holds, and align it."""
    names = settings.network.modalities or tuple(modality.name for modality in settings.scene.modalities)
    if len(settings.scenes) > 1:
        say(console, "", "")
        say(console, "name", scene.title)
    scene_report.say_scene(console, report)
    with telling(console) as progress:
        aligned = scene.align(names, progress)
    scene_report.say_modalities(console, report, missing_shares(aligned))
    scene_report.say_classes(console, aligned.classes, *count_centres(settings, aligned))
    return aligned


def _pictures(
    picture: Path, scenes: Sequence[AlignedScene], split: Split, members: Sequence[SceneRows]
) -> Iterator[tuple[Path, AlignedScene, Split]]:
    """What is drawn into which file: of several scenes each with its own patches into one of its name."""
    if not members:
        yield picture, scenes[0], split
    for scene, member in zip(scenes, members, strict=False):
        train, validation, test = (part.within(member.first, member.height) for part in split.parts.values())
        own = replace(split, train=train, validation=validation, test=test)
        yield picture.with_name(f"{picture.stem}-{member.name}{picture.suffix}"), scene, own


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
