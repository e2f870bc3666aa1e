"""`mpmm.fit`: training from Python."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from mpmm.display import Console
from mpmm.network import NetworkSpec
from mpmm.runs.run import Run
from mpmm.runs.training import overridden, train
from mpmm.scene import Scene
from mpmm.settings import (
    Config,
    NetworkConfig,
    PatchesConfig,
    StreamConfig,
    TrainingConfig,
    load_config,
    run_name,
)


def fit(
    scene: Scene | Config | Path | str,
    *,
    network: NetworkConfig | NetworkSpec | None = None,
    patches: PatchesConfig | None = None,
    training: TrainingConfig | None = None,
    run: Path | str | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    threads: int | None = None,
    seed: int | None = None,
    progress: bool = True,
) -> Run:
    """Train a network in this process.

    Parameters
    ----------
    scene
        A scene, a whole configuration, or the path of a TOML configuration.
    network
        What to train: settings as under ``[network]``, or a description such as ``mpmm.network.paper(...)``
        gives, whose patch size and seed are taken over; the scene's or configuration's own by default.
    patches, training
        Settings as under ``[patches]`` and ``[training]``.
    run
        The run folder; by default ``runs/<name>-<date>-<n>`` in the current folder. One that holds files is
        refused.
    epochs, seed, threads
        Take precedence over the settings.
    steps
        End after so many steps, even within an epoch.
    progress
        Show it on standard output.

    Returns
    -------
    Run
        The trained run, its learned attributes ending in ``_``. After Ctrl-C it is what training came to:
        ``run.summary_["finished"]`` is false, and ``mpmm train --resume`` goes on with it.

    Raises
    ------
    MpmmError
        Scene, patches or network do not fit each other, before anything is written; or the loss became
        infinite.

    Examples
    --------
    >>> run = mpmm.fit(mpmm.Scene.dfc2018(Path("contest")), epochs=20)  # doctest: +SKIP
    >>> print(run.scores_.overall_accuracy)  # doctest: +SKIP
    >>> print(run.evaluate("test").kappa)  # doctest: +SKIP
    """
    began = time.time()
    config, name, source = _settled(scene)
    if patches is not None:
        config = replace(config, patches=patches)
    if training is not None:
        config = replace(config, training=training)
    if isinstance(network, NetworkSpec):
        config = _with_spec(config, network)
    elif network is not None:
        config = replace(config, network=network)
    if isinstance(network, NetworkSpec) and seed is not None:
        network = replace(network, seed=seed)
    config = overridden(config, epochs=epochs, threads=threads, seed=seed)
    ending = train(
        config,
        name=name,
        path=None if run is None else Path(run),
        source=source,
        steps=steps,
        expected=network if isinstance(network, NetworkSpec) else None,
        console=Console() if progress else None,
        began=began,
    )
    return ending.run


def _settled(scene: Scene | Config | Path | str) -> tuple[Config, str, str | None]:
    """Settings, the run's name, and the TOML text if there is one."""
    if isinstance(scene, Scene):
        return Config(scene), scene.folder.resolve().name or "scene", None
    if isinstance(scene, Config):
        return scene, scene.scene.folder.resolve().name or "scene", None
    path = Path(scene)
    config = load_config(path)
    return config, run_name(path), path.read_text(encoding="utf-8")


def _with_spec(config: Config, spec: NetworkSpec) -> Config:
    """Settings that describe exactly this network; its seed becomes the training's."""
    network = NetworkConfig(
        modalities=spec.modalities,
        streams={stream.name: StreamConfig(stream.blocks, stream.dense) for stream in spec.streams},
        fusion=spec.fusion,
        dtype=spec.dtype,
        kernels=spec.kernels,
    )
    return replace(
        config,
        network=network,
        patches=replace(config.patches, size=spec.streams[0].size),
        training=replace(config.training, seed=spec.seed),
    )
