"""What `mpmm check` prints: scene, modalities, classes, split, and what a run needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpmm.display.console import lack_texts, leak_text, say
from mpmm.network import NetworkSpec
from mpmm.patches import ClassCount, Split
from mpmm.placement import describe, held_bytes, layout_for
from mpmm.results import percent
from mpmm.scene import LandCover, ModalityReport, SceneReport, wavelength
from mpmm.settings import Config

# batches of patches that are held at once: the one in work and those being read ahead
_BATCHES = 3


def say_scene(console: Console, report: SceneReport) -> None:
    """Say where the scene is, and the label raster's file, grid, classes and unlabelled share."""
    labels = report.labels
    grid = labels.grid
    across, down = grid.pixel_size
    pixels = grid.height * grid.width
    say(console, "scene", str(report.folder))
    say(console, "labels", _relative(labels.file, report.folder))
    say(
        console,
        "",
        f"{grid.height} x {grid.width} pixels of {_size(across, down)}, {labels.dtype}, {labels.crs}",
    )
    share = percent(labels.unlabelled / pixels)
    say(console, "", f"{len(labels.classes)} classes; {share}% of the pixels are not labelled")
    for line in labels.notes:
        say(console, "", line)


def say_modalities(console: Console, report: SceneReport, missing: Mapping[str, float]) -> None:
    """Say of each modality its files, size, bands, coordinate system, values and missing data.

    Parameters
    ----------
    console
        Where it is printed.
    report
        What inspecting the scene told.
    missing
        Share of the label grid without data, by modality, for those that were aligned.
    """
    for modality in report.modalities:
        used = modality.name in missing
        share = missing.get(modality.name, modality.missing)
        _say_modality(console, modality, report.folder, share, used)


def _say_modality(
    console: Console, modality: ModalityReport, folder: Path, missing: float, used: bool
) -> None:
    unused = "" if used else "  (not used by the network)"
    first, *others = (_relative(file, folder) for file in modality.files)
    say(console, modality.name, first + unused)
    for other in others:
        say(console, "", other)
    bands = _of_all(len(modality.band_names), modality.bands_in_file)
    across, down = modality.pixel_size
    size = f"{modality.height} x {modality.width} pixels of {_size(across, down)}"
    say(console, "", f"{size}, {bands} ({_ends(modality.band_names)}), {modality.dtype}")
    if modality.bad_bands:
        say(console, "", f"bands that the file calls bad: {', '.join(map(str, modality.bad_bands))}")
    for line in modality.own_values:
        say(console, "", line)
    if modality.constant_bands:
        numbers = list(modality.constant_bands)
        say(console, "", f"one value only in band {numbers}: drop_bands = {numbers} leaves them out")
    warped = ", warped to the labels'" if modality.warped else ""
    say(console, "", f"{modality.crs}{warped}; resampled {_factor(modality.factor)} ({modality.resampling})")
    where = "" if modality.sampled == 1 else f" (seen in {percent(modality.sampled)}% of the grid)"
    low_high = modality.value_range
    values = "no values" if low_high is None else f"values {low_high[0]:g} to {low_high[1]:g}{where}"
    say(console, "", f"{values}; {percent(missing)}% of the label grid without data")


def say_classes(
    console: Console,
    classes: Sequence[LandCover],
    inside: Sequence[ClassCount],
    counts: Sequence[ClassCount],
) -> None:
    """Labelled pixels of each class, and how many of them can be a patch's centre."""
    table = _table("Labelled pixels")
    _add_columns(table, "labelled", "near edge", "no data", "usable")
    rows = [
        (count.labelled, if_all.lost, count.lost - if_all.lost, count.usable)
        for if_all, count in zip(inside, counts, strict=True)
    ]
    for cover, row in zip(classes, rows, strict=True):
        table.add_row(str(cover.id), _name(cover), *_numbers(*row))
    table.add_section()
    table.add_row("", "all", *_numbers(*(sum(column) for column in zip(*rows, strict=True))))
    console.print(table)
    say(console, "", "near edge: the patch would leave the grid; no data: it would hold a missing pixel")


def say_split(console: Console, classes: Sequence[LandCover], split: Split) -> None:
    """Patches of each class and part, and how far the parts are apart."""
    table = _table(f"Patches of {split.size} x {split.size} pixels")
    _add_columns(table, "asked", "drawn", *split.parts)
    parts = split.counts()
    for cover, row in zip(classes, parts.tolist(), strict=True):
        drawn = Text(f"{sum(row):,}", style="bold red" if cover.id in split.short else "")
        table.add_row(str(cover.id), _name(cover), f"{split.requested[cover.id]:,}", drawn, *_numbers(*row))
    table.add_section()
    requested = sum(split.requested.values())
    table.add_row("", "all", *_numbers(requested, int(parts.sum()), *parts.sum(axis=0).tolist()))
    console.print(table)
    edge = "" if split.block_edge is None else f" (blocks of {split.block_edge} pixels)"
    say(console, "split", f"{split.kind}{edge}: {leak_text(split)}")
    names = {cover.id: cover.name for cover in classes}
    for text in lack_texts(split, names):
        say(console, "short", text)


def say_needs(console: Console, reports: Sequence[SceneReport], spec: NetworkSpec, config: Config) -> None:
    """Say what a run takes on disk, of each scene, and in memory, and what of it is there."""
    for report in reports:
        _say_disk(console, report)
    values = sum(stream.bands * stream.size**2 for stream in spec.streams)
    width = 8 if spec.dtype == "float64" else 4
    batches = _BATCHES * config.training.batch * values * width
    most = max(report.memory_bytes for report in reports)
    say(console, "memory", f"up to {_bytes(most)} while the scene is prepared")
    held = f"{_BATCHES} batches of {config.training.batch} patches"
    say(console, "", f"{_bytes(batches)} for {held} in training")
    network = network_bytes(spec, config.training.batch)
    say(console, "", f"about {_bytes(network)} for the network and its optimizer in training")


def _say_disk(console: Console, report: SceneReport) -> None:
    sources = sum(modality.source_bytes for modality in report.modalities)
    written = "all written" if not report.to_write_bytes else f"{_bytes(report.to_write_bytes)} were to write"
    say(
        console,
        "disk",
        f"sources {_bytes(sources)}; aligned scene {_bytes(report.cache_bytes)} in {report.cache}",
    )
    say(console, "", f"{written}; {_bytes(report.free_bytes)} free before")


def network_bytes(spec: NetworkSpec, batch: int) -> int:
    """What one process trains with, to a fifth."""
    shape = describe(spec)
    return held_bytes(shape, layout_for(shape, 1, "single"), 0, batch)


def _table(title: str) -> Table:
    """Narrow enough for a line of 80 characters even with seven-digit counts."""
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _of_all(used: int, available: int) -> str:
    """How many bands are used, and of how many where that is not all."""
    return f"{used} bands" if used == available else f"{used} of {available} bands"


def _add_columns(table: Table, *headings: str) -> None:
    """Id and class, then numbers."""
    table.add_column("id", justify="right", no_wrap=True)
    table.add_column("class")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)


def _name(cover: LandCover) -> Text:
    return Text.assemble(("■ ", cover.color), cover.name)


def _numbers(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in numbers)


def _ends(names: Sequence[str]) -> str:
    """The first and the last band: by wavelength where they tell one."""
    first, last = wavelength(names[0]), wavelength(names[-1])
    if first is not None and last is not None:
        return f"{first:g} to {last:g} nm"
    return names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"


def _size(across: float, down: float) -> str:
    return f"{across:g} m" if across == down else f"{across:g} x {down:g} m"


def _factor(factor: tuple[float, float]) -> str:
    """Source pixels in a grid pixel as people say it: 10 down, 2 up."""
    down, across = map(_times, factor)
    return down if down == across else f"{down} along rows, {across} along columns"


def _times(factor: float) -> str:
    if abs(factor - 1) < 1e-9:
        return "1:1"
    return f"{factor:.4g} times down" if factor > 1 else f"{1 / factor:.4g} times up"


def _relative(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else str(file)


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} GB"
