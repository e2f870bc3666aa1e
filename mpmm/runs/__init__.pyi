from .evaluation import EvaluationResult, evaluate
from .fit import fit, run_console
from .maps.areas import MapAreas, map_areas
from .maps.job import MapOptions
from .maps.play import make_map
from .maps.predict import ClassMap, predict_map
from .maps.target import TargetGrid
from .overrides import overridden
from .reading import load_run_together, load_together
from .run import Run
from .scored_patches import EVERYTHING, EvaluationOptions, Form
from .training import NewRun, TrainOptions, TrainResult, go_on, train

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
    "load_run_together",
    "load_together",
    "make_map",
    "map_areas",
    "overridden",
    "predict_map",
    "run_console",
    "train",
]
