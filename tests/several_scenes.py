"""Two scenes of arrays in one configuration that trains in a second.

from several_scenes import SHAPES, two_scenes
config = two_scenes(tmp_path)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SIZE = 7
# rows and columns of each scene, by name
SHAPES = {"north": (36, 30), "south": (28, 44)}
BANDS = {"hsi": 8, "rgb": 3}

SCENE = """\
[[scene]]
name = "{name}"
folder = "{name}"
labels = {{ file = "labels.npy" }}
modalities = {{ hsi = {{ files = ["hsi.npy"] }}, rgb = {{ files = ["rgb.npy"] }} }}

"""

REST = """\
[patches]
size = 7
augment = true
{patches}

[network]
kernels = "reference"
fusion = [{{ units = 8, dropout = 0.3 }}]

[network.streams.hsi]
blocks = [{{ filters = 3, kernel = [3, 3, 3], window = [2, 2, 2], dropout = 0.1 }}]
dense = [{{ units = 8, dropout = 0.3 }}]

[network.streams.rgb]
blocks = [{{ filters = 3, kernel = [3, 3, 3], window = [1, 2, 2] }}]
dense = [{{ units = 8 }}]

[training]
epochs = 2
batch = 16
rate = 0.005
"""


def two_scenes(folder: Path, patches: str = "per_class = 40") -> Path:
    """Write the scenes' arrays and a configuration of both; ``patches`` are lines of its table."""
    for seed, (name, (rows, columns)) in enumerate(SHAPES.items()):
        random = np.random.default_rng(seed)
        (folder / name).mkdir(parents=True, exist_ok=True)
        # three fields side by side, and a corner without labels; the second scene lacks class 2
        labels = np.repeat([1, 2, 3] if seed == 0 else [1, 3, 3], [columns - 20, 10, 10])[None].repeat(
            rows, 0
        )
        labels[:4, :4] = 0
        np.save(folder / name / "labels.npy", labels.astype(np.uint8))
        for modality, bands in BANDS.items():
            values = random.normal(size=(rows, columns, bands)) + labels[..., None] + 5 * seed
            np.save(folder / name / f"{modality}.npy", values.astype(np.float32))
    config = folder / "towns.toml"
    config.write_text("".join(SCENE.format(name=name) for name in SHAPES) + REST.format(patches=patches))
    return config
