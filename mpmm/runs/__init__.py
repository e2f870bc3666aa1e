"""The wiring of a run: training, evaluation and maps, in one process or over ranks; and the Python entry."""

from mpmm.runs.evaluation import EvaluationResult, evaluate
from mpmm.runs.fit import fit, run_console
from mpmm.runs.maps.areas import MapAreas, map_areas
from mpmm.runs.maps.job import MapOptions
from mpmm.runs.maps.play import make_map
from mpmm.runs.maps.predict import ClassMap, predict_map
from mpmm.runs.maps.target import TargetGrid
from mpmm.runs.overrides import overridden
from mpmm.runs.run import Run
from mpmm.runs.scored_patches import EVERYTHING, EvaluationOptions, Form
from mpmm.runs.training import NewRun, TrainOptions, TrainResult, go_on, train

__all__ = [
    "EVERYTHING",
    "ClassMap",
    "EvaluationOptions",
    "EvaluationResult",
    "Form",
    "MapAreas",
    "MapOptions",
    "NewRun",
    "Run",
    "TargetGrid",
    "TrainOptions",
    "TrainResult",
    "evaluate",
    "fit",
    "go_on",
    "make_map",
    "map_areas",
    "overridden",
    "predict_map",
    "run_console",
    "train",
]
