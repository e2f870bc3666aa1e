"""The configuration that a synthetic scene comes with: ready to run, and its comments teach the keys."""

from __future__ import annotations

from mpmm.synthetic.city import SizeName
from mpmm.synthetic.files import TREE

# patches per class and epochs that fit the size: minutes on a few cores
_PATCHES: dict[SizeName, tuple[int, int]] = {"tiny": (40, 10), "small": (200, 20), "houston": (400, 30)}


def config_text(size: SizeName, seed: int) -> str:
    """The TOML text for a scene of this size and seed."""
    per_class, epochs = _PATCHES[size]
    return _TEXT.format(size=size, seed=seed, folder=TREE.split("/")[0], per_class=per_class, epochs=epochs)


_TEXT = """\
# A synthetic scene ({size}, seed {seed}) with the layout of DFC2018 (Houston 2018).
#
#     mpmm check mpmm.toml      what is in it
#     mpmm train mpmm.toml      train on it in this process
#
# A key that is left out has the default named here. Relative folders start from this file's folder.

[scene]
# DFC2018 as the contest ships it: with the real data, write its folder here and keep the rest.
preset = "dfc2018"
folder = "{folder}"
# Use the LiDAR rasters as a third modality (default: false).
lidar = false
# Where the aligned scene is kept (default: .mpmm_cache in the scene's folder).
# cache = "cache"

[patches]
# Rows and columns of a patch in label pixels, odd (default: 25, here 12.5 m).
size = 25
# Patches drawn for each class; a class with fewer gives what it has (default: 400, as in the paper).
per_class = {per_class}
# "random": the paper's protocol, patches of training and validation overlap (the default).
# "block":  no training patch shares a pixel with a validation or test patch.
split = "random"
# Shares of training, validation and test patches (default: 0.7, 0.15, 0.15).
shares = [0.7, 0.15, 0.15]
# Seed of the draw (default: 0).
seed = 0
# Flip and turn training patches (default: false).
augment = false

[network]
# The paper's network: one 3D-CNN stream for each modality, then fusion.
preset = "paper"
# Streams and their order (default: all modalities of the scene); ["hsi"] trains on spectra alone.
modalities = ["hsi", "rgb"]

[training]
# Passes over the training patches (default: 30).
epochs = {epochs}
# Patches a step, and Adam's learning rate (defaults: 40 and 0.001, as in the paper).
batch = 40
rate = 0.001
# Seed of initial parameters, order of batches and dropout (default: 0).
seed = 0

[layout]
# "auto": one process by itself; under mpirun what is fastest there. `mpmm plan` shows it.
name = "auto"
"""
