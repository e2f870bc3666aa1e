"""What a command line or a call puts into the settings of a configuration or a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, Unpack

from mpmm.errors import ConfigError, LayoutError
from mpmm.messages import launched_ranks
from mpmm.placement import LayoutName, UpdatePlace
from mpmm.settings import Config, PatchesConfig


class Overrides(TypedDict, total=False):
    """Values that take precedence over the settings; None stands for the settings' own.

    Attributes
    ----------
    epochs
        Passes over the training patches.
    steps
        End after so many steps, even within an epoch; kept with the run, not with its settings.
    seed
        Of parameters, batches, augmentation and dropout.
    threads
        Threads to compute with.
    layout
        Which rank owns what; replaces an assignment of one's own.
    update
        Whether the server or the owners update.
    micro_batches
        Parts of a batch that go through the ranks one behind the other.
    fold
        Which of the spatial folds is for test, counted from 1.
    """

    epochs: int | None
    steps: int | None
    seed: int | None
    threads: int | None
    layout: LayoutName | None
    update: UpdatePlace | None
    micro_batches: int | None
    fold: int | None


def overridden(config: Config, **given: Unpack[Overrides]) -> Config:
    """The configuration with what was given put in."""
    training, layout = config.training, config.layout
    if (epochs := given.get("epochs")) is not None:
        training = replace(training, epochs=epochs)
    if (seed := given.get("seed")) is not None:
        training = replace(training, seed=seed)
    if (name := given.get("layout")) is not None:
        layout = replace(layout, name=name, ranks={}, shares={})
    if (update := given.get("update")) is not None:
        layout = replace(layout, update=update)
    if (parts := given.get("micro_batches")) is not None:
        layout = replace(layout, micro_batches=parts)
    if (threads := given.get("threads")) is not None:
        layout = replace(layout, threads=threads)
    patches = config.patches
    if (fold := given.get("fold")) is not None:
        patches = _with_fold(patches, fold)
    return replace(config, patches=patches, training=training, layout=layout)


def _with_fold(patches: PatchesConfig, fold: int) -> PatchesConfig:
    if patches.split != "folds":
        raise ConfigError(
            f'fold {fold} is asked for, the split is "{patches.split}"',
            'write split = "folds" into [patches], or leave the fold out',
        )
    return replace(patches, fold=fold)


def check_layout(config: Config) -> Config:
    """The configuration itself; refused is what needs several ranks where there is one process.

    Raises
    ------
    LayoutError
        Naming the layout, or what else needs ranks, and the way out.
    """
    several = config.layout.ranks or config.layout.name not in ("auto", "single")
    if several and launched_ranks() == 1:
        layout = "ranks of its own" if config.layout.ranks else repr(config.layout.name)
        raise LayoutError(
            f"layout {layout} needs several ranks, this is one process",
            "start it under mpirun, or take layout single (--layout single)",
        )
    if config.layout.batch_norm == "per_shard" and launched_ranks() == 1:
        raise LayoutError(
            "layout.batch_norm = 'per_shard' needs several ranks, each with a shard, this is one process",
            "start it under mpirun with layout sharded or hybrid, or leave it at 'exact'",
        )
    return config
