"""Trains, scores and maps, and prints a fingerprint of each, the same whatever a vector's width.

at_this_width.py CONFIG RUN follows a configuration, at_this_width.py NETWORK three steps of one of the zoo.
"""

import hashlib
import sys

import numpy as np


def digest(*arrays):
    """SHA-256 of arrays' bytes."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def follow(config, folder):
    """A whole run: its parameters, its scores on the test patches, and its map."""
    import mpmm
    from mpmm.display import Console
    from mpmm.runs import EvaluationOptions, evaluate

    run = mpmm.fit(config, run=folder, progress=False)
    print("training", run.summary_["parameters_sha256"])
    result = evaluate(run.folder, EvaluationOptions("test"), Console(quiet=True))
    print("scores", digest(result.scores.confusion))
    mapped = mpmm.predict_map(run, progress=False)
    print("map", digest(mapped.ids))


def take_steps(name):
    """Three steps of a network on few random patches, and what it infers then."""
    from step_ours import Ours
    from zoo_networks import ZOO

    from mpmm.network import parameters_sha256

    ours = Ours(ZOO[name].make(), 9)
    for _ in range(3):
        ours.train()
    print(name, parameters_sha256(ours.network), digest(ours.infer()))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        follow(*sys.argv[1:])
    else:
        take_steps(sys.argv[1])
