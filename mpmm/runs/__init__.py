"""The wiring of a run: training, evaluation and maps, in one process or over ranks; and the Python entry."""

from mpmm.runs.distributed import TrainOptions
from mpmm.runs.evaluation import EvaluationOptions, EvaluationResult, Form
from mpmm.runs.fit import fit
from mpmm.runs.maps.job import MapOptions
from mpmm.runs.maps.play import map_alone, map_together
from mpmm.runs.maps.predict import ClassMap, predict_map
from mpmm.runs.maps.target import Place
from mpmm.runs.maps.trained import Trained
from mpmm.runs.run import Run
from mpmm.runs.session import TrainResult
from mpmm.runs.training import LayoutName, go_on, overridden, train, use_threads

__all__ = [
    "ClassMap",
    "EvaluationOptions",
    "EvaluationResult",
    "Form",
    "LayoutName",
    "MapOptions",
    "Place",
    "Run",
    "TrainOptions",
    "TrainResult",
    "Trained",
    "fit",
    "go_on",
    "map_alone",
    "map_together",
    "overridden",
    "predict_map",
    "train",
    "use_threads",
]
