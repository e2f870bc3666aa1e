"""`mpmm.fit`: training from Python."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from mpmm.display import Console
from mpmm.messages import launched_ranks
from mpmm.network import NetworkSpec
from mpmm.runs.overrides import Overrides, overridden
from mpmm.runs.reading import load_together
from mpmm.runs.run import Run
from mpmm.runs.training import NewRun, TrainOptions, train
from mpmm.scene import Scene
from mpmm.settings import (
    Config,
    NetworkConfig,
    PatchesConfig,
    StreamConfig,
    TrainingConfig,
    read_config_text,
    run_name,
)


def fit(
    scene: Scene | Sequence[Scene] | Config | Path | str,
    *,
    network: NetworkConfig | NetworkSpec | None = None,
    patches: PatchesConfig | None = None,
    training: TrainingConfig | None = None,
    run: Path | str | None = None,
    progress: bool = True,
    **given: Unpack[Overrides],
) -> Run:
    """Train a network, in this process or together with the other ranks of mpirun.

    Under mpirun every rank makes the same call, and all return together. Settings and layout are those of
    ``mpmm train``: the parameters have the same bits as in one process.

    Parameters
    ----------
    scene
        A scene, several with the same modalities and classes, a whole configuration, or the path of a TOML
        configuration. Each rank's own scenes count, so folders may differ from machine to machine.
    network
        What to train: settings as under ``[network]``, or a description such as ``mpmm.network.paper(...)``
        gives, whose patch size and seed are taken over; the scene's or configuration's own by default.
    patches, training
        Settings as under ``[patches]`` and ``[training]``.
    run
        The run folder; by default ``runs/<name>-<date>-<n>`` in the current folder. One that holds files is
        refused.
    progress
        Show it on standard output.
    epochs, seed, threads, layout
        Take precedence over the settings.
    fold
        Which of the spatial folds is for test, counted from 1.
    steps
        End after so many steps, even within an epoch.

    Returns
    -------
    Run
        The trained run, its learned attributes ending in ``_``. After Ctrl-C it is what training came to:
        ``run.summary_["finished"]`` is false, and ``mpmm train --resume`` goes on with it. Under mpirun one
        rank records the run (the driver, or else rank 0); the others get it too where they reach its folder,
        else a `Run` that raises `RunError` with that rank and machine when it is read.

    Raises
    ------
    MpmmError
        Scene, patches or network do not fit each other, before anything is written; or the loss became
        infinite. Under mpirun the error of one rank ends all, told once.

    Examples
    --------
    >>> run = mpmm.fit(mpmm.Scene.dfc2018(Path("contest")), epochs=20)  # doctest: +SKIP
    >>> print(run.scores_.overall_accuracy)  # doctest: +SKIP
    >>> print(run.evaluate("test").kappa)  # doctest: +SKIP
    """
    began, seed = time.time(), given.get("seed")
    config, name, source = _settled(scene, patches)
    if patches is not None:
        config = replace(config, patches=patches)
    if training is not None:
        config = replace(config, training=training)
    expected = network if isinstance(network, NetworkSpec) else None
    if expected is not None:
        config = _with_spec(config, expected)
    elif isinstance(network, NetworkConfig):
        config = replace(config, network=network)
    if expected is not None and seed is not None:
        expected = replace(expected, seed=seed)
    new = NewRun(name, None if run is None else Path(run), source, given.get("steps"), expected)
    options = TrainOptions(console=run_console(progress), began=began)
    return train(overridden(config, **given), new, options).run


def run_console(progress: bool = True) -> Console:
    """Where a run shows its progress: plain lines under mpirun, nowhere if it is not wanted."""
    # mpirun gives its ranks a terminal even where its own output is a file
    return Console(quiet=not progress, force_terminal=False if launched_ranks() > 1 else None)


def _settled(
    scene: Scene | Sequence[Scene] | Config | Path | str, patches: PatchesConfig | None
) -> tuple[Config, str, str | None]:
    """Settings, the run's name, and the TOML text if there is one."""
    if isinstance(scene, Scene):
        return Config(scene), scene.folder.resolve().name or "scene", None
    if isinstance(scene, Config):
        return scene, scene.scene.folder.resolve().name or "scene", None
    if not isinstance(scene, Path | str):
        first, *further = scene
        # scenes that are for one part only go with the split that is given
        return Config(first, patches or PatchesConfig(), further=tuple(further)), first.title, None
    path = Path(scene)
    return load_together(path), run_name(path), read_config_text(path)


def _with_spec(config: Config, spec: NetworkSpec) -> Config:
    """Settings that describe exactly this network; its seed becomes the training's."""
    network = NetworkConfig(
        modalities=spec.modalities,
        streams={stream.name: StreamConfig(stream.blocks, stream.dense) for stream in spec.streams},
        fusion=spec.fusion,
        dtype=spec.dtype,
        kernels=spec.kernels,
        start=spec.start,
    )
    return replace(
        config,
        network=network,
        patches=replace(config.patches, size=spec.streams[0].size),
        training=replace(config.training, seed=spec.seed),
    )
