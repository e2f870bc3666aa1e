"""It learns: real scenes to the accuracy they allow, better than KNN and SVM, two sensors better than one.

docs/results.md holds the same measurements over more splits. Splits are by block: no pixel of a test patch is
in a training patch.
"""

from dataclasses import replace

import numpy as np
import pytest
from learning_scenes import FULL, hysu_config, needs_hysu, needs_samson, samson_config, synthetic_config
from measure import alone, measure, with_seed

from mpmm.baselines import knn, svm
from mpmm.preparation import prepare

KNN, SVM = "KNN (k=5)", "RBF-SVM"


def sooner(config, epochs):
    """Ends after as many epochs as the claim needs; with MPMM_FULL=1 after as many as are configured."""
    return config if FULL else replace(config, training=replace(config.training, epochs=epochs))


@pytest.mark.real
@needs_samson
def test_samson_to_97_percent(tmp_path):
    measured = measure(sooner(samson_config(tmp_path), epochs=3), range(5 if FULL else 1), beside=False)
    assert measured.overall().min() >= 97


@pytest.mark.real
@pytest.mark.slow
@needs_hysu
def test_hysu_better_than_knn_and_svm(tmp_path, monkeypatch):
    """Over several splits, for a single one has too few patches of the rare classes to tell.

    The random forest, of which nothing is claimed, would take a fifth of the time.
    """
    monkeypatch.setattr("mpmm.baselines.baselines", lambda: {KNN: knn(), SVM: svm()})
    measured = measure(sooner(hysu_config(tmp_path), epochs=16), range(10 if FULL else 3))
    for baseline in (KNN, SVM):
        assert measured.lead(baseline).mean() > 0.5
        assert measured.average().mean() > measured.average(baseline).mean() + 3


@pytest.mark.slow
def test_both_sensors_better_than_either(tmp_path, monkeypatch):
    config = synthetic_config(tmp_path, monkeypatch)
    seeds, margin = (range(3), 5) if FULL else ([1], 4)
    if not FULL:
        config = replace(config, patches=replace(config.patches, per_class=60))
    config = sooner(config, epochs=6)
    both, hsi, rgb = (
        measure(config, seeds, only=only, beside=False).overall() for only in (None, "hsi", "rgb")
    )
    assert (both > np.maximum(hsi, rgb)).all()
    assert both.mean() > max(hsi.mean(), rgb.mean()) + margin


@pytest.mark.real
@needs_hysu
def test_one_sensor_is_measured_on_the_patches_of_both(tmp_path):
    """RGB covers 70% of HySU: HSI on its own would else be scored on other ground."""
    config = with_seed(hysu_config(tmp_path), 4)
    both, _ = prepare(config)
    one, _ = prepare(alone(config, "hsi", tmp_path / "labels.tif"))
    assert one.spec.modalities == ("hsi",)
    for part, samples in both.parts.items():
        np.testing.assert_array_equal(one.parts[part].rows, samples.rows)
        np.testing.assert_array_equal(one.parts[part].columns, samples.columns)
        np.testing.assert_array_equal(one.parts[part].labels, samples.labels)
    streams = {"hsi": config.network.streams["hsi"]}
    network = replace(config.network, modalities=("hsi",), streams=streams)
    unmasked, _ = prepare(replace(config, network=network))
    assert len(unmasked.parts["train"]) > len(both.parts["train"])
