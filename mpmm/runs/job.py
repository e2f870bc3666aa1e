"""One piece of work of a comparison, in a process or ranks of its own: `python -m mpmm.runs.job FILE`.

The file is JSON: what to do, in which run folder, with which settings. So every run of a comparison starts
alike, whatever of its settings differs from the configuration's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mpmm.errors import MpmmError
from mpmm.messages import end_before_meeting, launched_ranks
from mpmm.results import write_json
from mpmm.runs.evaluation import evaluate
from mpmm.runs.fit import run_console
from mpmm.runs.scored_patches import EvaluationOptions
from mpmm.runs.training import NewRun, TrainOptions, go_on, train
from mpmm.settings import config_from_json


def main(file: Path) -> None:
    """Do what a job's file says; exit with 0 done, 1 refused, 130 interrupted."""
    job = json.loads(file.read_text(encoding="utf-8"))
    try:
        interrupted = _train(job) if job["kind"] == "train" else _evaluate(job)
    except MpmmError as error:
        text = f"error: {error.problem}\nhint: {error.hint}\n"
        if launched_ranks() > 1:
            end_before_meeting(text, 1)
        sys.stderr.write(text)
        sys.exit(1)
    sys.exit(130 if interrupted else 0)


def _train(job: dict[str, Any]) -> bool:
    run, options = Path(job["run"]), TrainOptions(console=run_console(False))
    if (run / "checkpoints" / "last.safetensors").is_file():
        return go_on(run, options).interrupted is not None
    config = config_from_json(json.dumps(job["config"]), "the comparison's job")
    return train(config, NewRun(run.name, run, steps=job["steps"]), options).interrupted is not None


def _evaluate(job: dict[str, Any]) -> bool:
    options = EvaluationOptions(job["part"], "best", job["patches"], layout=job["layout"])
    result = evaluate(Path(job["run"]), options, run_console(False))
    if result is not None:
        plain = {"scores": result.scores.to_dict(), "seconds": result.seconds, "ranks": result.ranks}
        write_json(Path(job["result"]), {**plain, "layout": result.layout})
    return False


if __name__ == "__main__":
    main(Path(sys.argv[1]))
