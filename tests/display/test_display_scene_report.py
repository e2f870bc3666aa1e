"""What `mpmm check` says that a run needs is about what it takes."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from mpmm.display import scene_report
from mpmm.network import Adam, DenseSpec, Network, SoftmaxCrossEntropy, Step, paper

PAPER = paper({"hsi": 48, "rgb": 3}, 20)


@pytest.mark.parametrize("fusion", [PAPER.fusion, (DenseSpec(4096), DenseSpec(1024))])
def test_the_networks_memory_is_about_what_a_step_takes(fusion):
    """Also where most of it is of dense layers, whose gradients are no group's own."""
    spec = replace(PAPER, fusion=fusion)
    patches = {
        stream.name: np.zeros((40, stream.bands, stream.size, stream.size), np.float32)
        for stream in spec.streams
    }

    def step():
        network, optimizer = Network(spec), Adam()
        logits = network.forward(patches, Step(training=True, number=1, seed=0))
        network.backward(SoftmaxCrossEntropy()(logits, np.zeros(40, np.int16)).dlogits)
        for parameter in network.parameters.values():
            optimizer.update(parameter, 1)
        return network, optimizer

    step()  # loads the kernels
    tracemalloc.start()
    kept = step()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept
    assert scene_report.network_bytes(spec, 40) == pytest.approx(taken, rel=0.35)
