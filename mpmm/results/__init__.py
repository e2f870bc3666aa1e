"""What a run leaves behind: checkpoints, scores, logs, reports."""

from mpmm.results.areas import AreaEstimate, ClassArea, SampledShare, estimate_areas
from mpmm.results.checkpoint import Arrays, Checkpoint
from mpmm.results.crossvalidation import FoldSpread, Paired, crossvalidation, paired, together
from mpmm.results.endpoint import Endpoint, check_port
from mpmm.results.environment import environment, versions
from mpmm.results.event_files import EventFiles
from mpmm.results.files import make_folder, read_json, read_text, unwritable, write_json, write_whole
from mpmm.results.folder import CheckpointName, RunFolder
from mpmm.results.log import MetricsLog, read_log
from mpmm.results.outputs import refuse_inputs
from mpmm.results.report import (
    percent,
    write_area_csv,
    write_class_csv,
    write_confusion_csv,
)
from mpmm.results.scene_rows import read_scenes, write_scenes
from mpmm.results.scores import Estimate, Scores, confusion_matrix, score
from mpmm.results.split import read_split, write_split

__all__ = [
    "AreaEstimate",
    "Arrays",
    "Checkpoint",
    "CheckpointName",
    "ClassArea",
    "Endpoint",
    "Estimate",
    "EventFiles",
    "FoldSpread",
    "MetricsLog",
    "Paired",
    "RunFolder",
    "SampledShare",
    "Scores",
    "check_port",
    "confusion_matrix",
    "crossvalidation",
    "environment",
    "estimate_areas",
    "make_folder",
    "paired",
    "percent",
    "read_json",
    "read_log",
    "read_scenes",
    "read_split",
    "read_text",
    "refuse_inputs",
    "score",
    "together",
    "unwritable",
    "versions",
    "write_area_csv",
    "write_class_csv",
    "write_confusion_csv",
    "write_json",
    "write_scenes",
    "write_split",
    "write_whole",
]
