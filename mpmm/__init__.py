"""mpmm trains and runs multi-modal 3D CNNs for land-cover classification on clusters of CPU machines.

Public names, each imported when it is first asked for:

- `Scene`, `Labels`, `LandCover`, `Modality`: rasters on one label grid; `benchmark_scene` finds a public
  one's files, `scene_from_arrays` makes one of arrays;
- `Config`, `load_config` and the tables `PatchesConfig`, `NetworkConfig`, `StreamConfig`, `TrainingConfig`,
  `LayoutConfig`: a run's settings;
- `fit`, which trains and returns a `Run`; its predictions' `Scores`; `predict_map`, which gives a `ClassMap`;
- `Network`, `paper` and `NetworkSpec`, `StreamSpec`, `BlockSpec`, `DenseSpec`: a network on its own;
- `Layout`: which rank owns what;
- `MpmmError`, the root of every error raised on purpose.
"""

import lazy_loader

from mpmm._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
