"""Fingerprints: what a prepared modality was made of, so that a changed source or setting never reuses it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpmm.scene.bands import IDENTITY
from mpmm.scene.containers import name_within

if TYPE_CHECKING:
    from mpmm.scene.label_reading import LabelPlan
    from mpmm.scene.plan import ModalityPlan

# of each file's beginning and end; headers and the newest data lie there
_SAMPLE_BYTES = 65536


def describe_files(folder: Path, files: Iterable[Path]) -> list[dict[str, Any]]:
    """Name, size, time of change and a hash of beginning and end of each file.

    Names are relative to the scene's folder, so that a scene may be moved with its cache.
    """
    return [_describe_file(folder, file) for file in dict.fromkeys(files) if file.exists()]


def _describe_file(folder: Path, file: Path) -> dict[str, Any]:
    status = file.stat()
    digest = hashlib.sha256()
    if file.is_file():
        with file.open("rb") as stream:
            digest.update(stream.read(_SAMPLE_BYTES))
            stream.seek(max(0, status.st_size - _SAMPLE_BYTES))
            digest.update(stream.read(_SAMPLE_BYTES))
    name = os.path.relpath(file, folder)
    return {
        "file": name,
        "bytes": status.st_size,
        "changed": status.st_mtime_ns,
        "sample": digest.hexdigest(),
    }


def describe_plan(folder: Path, plan: ModalityPlan) -> dict[str, Any]:
    """Everything the aligned values depend on."""
    modality = plan.modality
    files = [file for raster in plan.rasters for file in raster.files]
    layers = [
        {
            "tiles": [name_within(folder, tile.raster.path) for tile in layer.mosaic.tiles],
            "grid": asdict(layer.mosaic.grid),
            "bands": layer.mosaic.bands,
            "method": layer.method,
            "warped": layer.warped,
        }
        for layer in plan.layers
    ]
    scale, offset = modality.calibration or IDENTITY
    settings: dict[str, Any] = {"scale": scale, "offset": offset, "nodata": _plain(modality.nodata)}
    own = [layer.mosaic.own_calibrations(tile) for layer in plan.layers for tile in layer.mosaic.tiles]
    if modality.calibration is None and any(each != IDENTITY for tile in own for each in tile):
        settings["own"] = own
    if gaps := [raster.covered for raster in plan.rasters if raster.has_gaps]:
        settings["covered"] = gaps
    if modality.quality != "keep":
        settings["quality"] = modality.quality
    return {
        "grid": asdict(plan.grid),
        "layers": layers,
        "settings": settings,
        "sources": describe_files(folder, files),
    }


def _plain(value: float | None) -> float | str | None:
    return value if value is None or value == value else "nan"


def describe_labels(folder: Path, plan: LabelPlan) -> dict[str, Any]:
    """Everything the ids in the labels' cache depend on."""
    burned = {} if plan.burning is None else {"burned": _describe_burning(plan)}
    gaps = [tile.raster.covered for tile in plan.tiles if tile.raster.has_gaps]
    return (burned | {"covered": gaps} if gaps else burned) | {
        "grid": asdict(plan.raster.grid),
        "band": plan.band,
        "tiles": [name_within(folder, tile.raster.path) for tile in plan.tiles],
        "ignore": sorted(plan.labels.ignore),
        "sources": describe_files(folder, plan.raster.files),
    }


def _describe_burning(plan: LabelPlan) -> dict[str, Any]:
    """What a vector file's labels depend on besides its bytes."""
    labels = plan.labels
    classes = [[cover.id, cover.name] for cover in labels.classes]
    return {
        "layer": labels.layer,
        "column": labels.column,
        "crs": labels.crs,
        "borders": labels.borders,
        "overlaps": labels.overlaps,
        "classes": classes,
    }


def fingerprint(described: Mapping[str, Any]) -> str:
    """SHA-256 of a description."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
