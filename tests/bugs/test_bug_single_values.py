"""A batch that leaves batch-norm a single value a channel tells no variance."""

import numpy as np
import pytest
from bug_scenes import plain
from click.testing import CliRunner

from mpmm.commands.train import command as train
from mpmm.network import Adam, BatchNorm, BlockSpec, NetworkSpec, Step, StreamSpec
from mpmm.patches import Batches
from mpmm.placement import LayoutOptions, describe, layout_for
from mpmm.runs import Run
from mpmm.runs.single_values import single_values_line


@pytest.mark.parametrize("samples", [1, 2])
def test_one_value_a_channel_leaves_running_statistics_as_they_are(samples):
    """The last batch of an epoch has one patch, and a block's output is one position.
    Its variance of 0 entered the running variance, which later divides.
    Right: the running statistics stay; two values tell a variance again.
    """
    layer = BatchNorm("norm", (1, 1, 1, 3), "float32")
    layer.variance.value[:] = (2, 3, 4)
    layer.mean.value[:] = (5, 6, 7)
    layer.forward(np.arange(3 * samples, dtype=np.float32).reshape(samples, 1, 1, 1, 3), Step(training=True))
    for statistic in (layer.mean, layer.variance):
        Adam().update(statistic, 1)
    if samples == 1:
        np.testing.assert_allclose(layer.variance.value, (2, 3, 4), rtol=1e-6)
        np.testing.assert_allclose(layer.mean.value, (5, 6, 7), rtol=1e-6)
    else:
        np.testing.assert_allclose(layer.variance.value, 0.9 * np.array([2, 3, 4]) + 0.1 * 4.5, rtol=1e-6)


def test_a_last_batch_of_one_patch_is_announced(tmp_path):
    config = plain(tmp_path, size="3", epochs="1", batch="62", shares="[0.7, 0.15, 0.15]")
    text = config.read_text().replace("window = [1, 1, 1]", "window = [8, 1, 1]")
    config.write_text(text.replace("kernel = [1, 3, 3]", "kernel = [1, 3, 3]"))
    done = CliRunner().invoke(train, [str(config), "--run", str(tmp_path / "run")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert (
        "the last batch of each epoch, of 1 patch, leaves batch-norm of hsi.block1 a single value"
        in done.output
    )
    network = Run.open(tmp_path / "run").network("last")
    (variance,) = (p for name, p in network.parameters.items() if name.endswith("variance"))
    # one batch of 62 patches has moved it from 1, the one of a single patch has not
    assert variance.value.min() > 0.89


def test_micro_batches_of_one_patch_are_announced():
    """Eight patches in eight micro-batches, each normalised alone; exact statistics are over all eight."""
    block = BlockSpec(2, (3, 3, 3), pool="none", window=(1, 1, 1), kernels="reference")
    spec = NetworkSpec((StreamSpec("hsi", 3, 3, (block,)),), (), 2, kernels="reference")
    lines = []
    for scope in ("exact", "per_micro_batch"):
        layout = layout_for(describe(spec), 1, options=LayoutOptions(batch_norm=scope, micro_batches=8))
        lines.append(single_values_line(spec, Batches(80, 8), layout))
    assert lines[0] is None
    assert lines[1].startswith(
        "every batch, of 8 patches, in 8 micro-batches leaves batch-norm of hsi.block1"
    )
