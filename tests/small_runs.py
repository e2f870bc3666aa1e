"""A configuration that trains in seconds: the tiny scene, small patches, a small network with all on.

from small_runs import small_config
config = small_config(tmp_path / "scene")
"""

from __future__ import annotations

from pathlib import Path

from scenes import tiny_scene

# streams, fusion and training that take hundredths of a second a step, with dropout and batch-norm on
SMALL_NETWORK = """\
kernels = "reference"
fusion = [{ units = 16, dropout = 0.3 }]

[network.streams.hsi]
blocks = [{ filters = 4, kernel = [3, 3, 3], window = [6, 2, 2], dropout = 0.1 }]
dense = [{ units = 16, dropout = 0.3 }]

[network.streams.rgb]
blocks = [{ filters = 4, kernel = [3, 3, 3], window = [1, 2, 2] }]
dense = [{ units = 16 }]

[training]
epochs = 2
batch = 16
rate = 0.005
"""

SMALL = """\
[scene]
preset = "dfc2018"
folder = "{folder}"

[patches]
size = 9
per_class = 12
augment = true

[network]
modalities = ["hsi", "rgb"]
{network}{training}
# several would wait for each other longer than they compute
[layout]
threads = 1
"""


def small_config(folder: Path, training: str = "", patches: str = "") -> Path:
    """Write the tiny scene and a small configuration into `folder`; extra lines go to the named tables.

    160 patches for training make 2 epochs of 10 steps, some hundredths of a second each; 40 patches each are
    for validation and test.
    """
    config = tiny_scene(folder)
    tree = next(line for line in config.read_text().splitlines() if line.startswith("folder = "))
    text = SMALL.format(network=SMALL_NETWORK, folder=tree.split('"')[1], training=training)
    config.write_text(text.replace("augment = true\n", f"augment = true\n{patches}\n"))
    return config
