from .areas import AreaEstimate, ClassArea, SampledShare, estimate_areas
from .checkpoint import Arrays, Checkpoint
from .crossvalidation import FoldSpread, Paired, crossvalidation, paired, together
from .endpoint import Endpoint, check_port
from .environment import environment, versions
from .event_files import EventFiles
from .files import make_folder, read_json, read_text, unwritable, write_json, write_whole
from .folder import CheckpointName, RunFolder
from .log import MetricsLog, read_log
from .outputs import refuse_inputs
from .report import percent, write_area_csv, write_class_csv, write_confusion_csv
from .scene_rows import read_scenes, write_scenes
from .scores import Estimate, Scores, confusion_matrix, score
from .split import read_split, write_split

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
