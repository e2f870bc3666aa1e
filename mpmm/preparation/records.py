"""What a run keeps of its scene's bands, and how another scene is compared with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mpmm.errors import RunError
from mpmm.patches import Normalization, OutOfRange, Samples, far_outside, training_range
from mpmm.preparation.sampling import Readers
from mpmm.results import RunFolder
from mpmm.scene import AlignedModality, AlignedScenes, JoinedModality, SourceRecord

# the file's name without its ending
PART = "bands"


def keep_records(records: Mapping[str, SourceRecord], folder: RunFolder) -> None:
    """Write what files say of the bands, and the range of their values in training, as ``bands.json``."""
    folder.write_part(PART, {name: record.to_dict() for name, record in records.items()})


def read_records(folder: RunFolder) -> dict[str, Any]:
    """Read what `keep_records` wrote, as plain values; nothing of a run of an older mpmm."""
    return folder.read_part(PART) if (folder.path / f"{PART}.json").is_file() else {}


def records_of(plain: Mapping[str, Any]) -> dict[str, SourceRecord]:
    """Records by modality, of what `read_records` gave."""
    return {str(name): SourceRecord.from_dict(record) for name, record in plain.items()}


def with_ranges(
    readers: Readers, records: Mapping[str, SourceRecord], scene: AlignedScenes, samples: Samples, size: int
) -> dict[str, SourceRecord]:
    """Records with the range of values in training patches, each measured where the modality lies."""
    mine = {name: training_range(scene.modalities[name], samples, size) for name in readers.measured_here()}
    gathered = readers.collectives.allgather(mine)
    ranges = {name: ends for part in gathered for name, ends in part.items()}
    return {
        name: replace(records[name], low=tuple(low), high=tuple(high)) for name, (low, high) in ranges.items()
    }


def check_band_counts(normalization: Mapping[str, Any], records: Mapping[str, SourceRecord]) -> None:
    """Refuse a modality that gives another number of bands than the network takes."""
    for name, record in records.items():
        trained = Normalization.from_dict(normalization[name]).bands
        if len(record.bands) != trained:
            raise RunError(
                f"{name}: {record.file} has {len(record.bands)} bands, the network was trained on {trained}",
                "take a scene with the bands of the one it was trained on",
            )


def range_warnings(
    modalities: Mapping[str, AlignedModality] | Mapping[str, JoinedModality],
    records: Mapping[str, SourceRecord],
    names: Collection[str],
) -> list[str]:
    """Lines on modalities of which many values are far outside those that the network was trained on."""
    lines = []
    for name in names:
        record = records.get(name)
        if record is None:
            continue
        for outside in _far_outside(modalities[name], record):
            (low, high), (least, most) = outside.trained, outside.here
            subject = f"{100 * outside.share:.1f}% of the values are far outside those of the training"
            if outside.flat > 0.5:
                subject = f"{100 * outside.flat:.0f}% of the bands hardly vary beside those of the training"
            band = record.bands[outside.band].title
            lines.append(f"{name}: {subject}; {band}: {least:g} to {most:g} here, {low:g} to {high:g} there")
    return lines


def _far_outside(modality: AlignedModality | JoinedModality, record: SourceRecord) -> Iterator[OutOfRange]:
    """How the values of each scene are unlike the training's, where they are."""
    for first, values in modality.pieces:
        rows, columns, bands = values.shape
        present = modality.present[first : first + rows, :columns]
        if len(record.low) == bands and (outside := far_outside(values, present, record.low, record.high)):
            yield outside
