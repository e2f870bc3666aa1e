"""Principal components in a run: a map is what a pipeline by hand gives, and a pause changes nothing."""

import numpy as np
import pytest
import rasterio
from bugs.bug_scenes import plain
from sklearn.decomposition import PCA

from mpmm.errors import MpmmError
from mpmm.network import EVALUATION, probabilities
from mpmm.patches.normalization import coverage
from mpmm.runs import fit, go_on, predict_map

SIZE, COMPONENTS = 5, 3


def configured(folder, components):
    path = plain(folder)
    text = path.read_text().replace("per_class = 30", f"per_class = 30\ncomponents = {components}")
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("components")
    return fit(configured(folder, f"{{ hsi = {COMPONENTS} }}"), run=folder / "run", progress=False)


def test_a_map_has_the_values_of_a_pipeline_by_hand(run):
    with rasterio.open(run.config_.scene.folder / "hsi.tif") as file:
        values = file.read().transpose(1, 2, 0).astype(np.float64)
    times = coverage(run.prepared.parts["train"], SIZE, values.shape[:2]).reshape(-1)
    pixels = values.reshape(-1, values.shape[2])
    components = PCA(COMPONENTS).fit(np.repeat(pixels, times, axis=0)).transform(pixels)
    trained = np.repeat(components, times, axis=0)
    normalised = ((components - trained.mean(axis=0)) / trained.std(axis=0)).reshape(*values.shape[:2], -1)
    windows = np.lib.stride_tricks.sliding_window_view(normalised, (SIZE, SIZE), (0, 1))
    patches = windows.reshape(-1, COMPONENTS, SIZE, SIZE).astype(np.float32)
    expected = probabilities(run.network("best").forward({"hsi": patches}, EVALUATION))
    mapped = predict_map(run, probabilities=True, progress=False)
    inner = slice(SIZE // 2, -(SIZE // 2))
    shown = mapped.probabilities[:, inner, inner].reshape(len(run.classes_), -1).T
    np.testing.assert_allclose(shown, expected, atol=0.01)
    ids = np.array([cover.id for cover in run.classes_])[expected.argmax(axis=1)]
    assert (mapped.ids[inner, inner].reshape(-1) == ids).mean() > 0.999


def test_a_run_that_goes_on_has_the_components_it_began_with(run, tmp_path):
    config = run.config_
    fit(config, run=tmp_path / "paused", steps=3, progress=False)
    assert (
        go_on(tmp_path / "paused", epochs=2).run.summary_["parameters_sha256"]
        == (run.summary_["parameters_sha256"])
    )
    assert run.network_.spec.streams[0].bands == COMPONENTS


@pytest.mark.parametrize(
    ("components", "problem"),
    [
        ("{ rgb = 2 }", "patches.components: the scene has no modality 'rgb'; it has hsi"),
        ("{ hsi = 9 }", "9 components of hsi"),
    ],
)
def test_components_that_there_are_not_are_refused(components, problem, tmp_path):
    with pytest.raises(MpmmError, match=problem):
        fit(configured(tmp_path, components), run=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
