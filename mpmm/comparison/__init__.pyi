from . import paper
from .experiments import EXPERIMENTS, compare
from .study import Study

__all__ = ["EXPERIMENTS", "Study", "compare", "paper"]
