"""A run's report holds the run's own figures, says in words what is missing, and links to nothing."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from report_runs import begun_run, class_map, whole_run

from mpmm.errors import RunError
from mpmm.records import read_record
from mpmm.report import write_run_report
from mpmm.report.charts import curves

# what charts of ranks, and all charts, are drawn from: left out, for seconds, where a test looks at none
SAMPLES = shutil.ignore_patterns("monitor")
CHARTED = shutil.ignore_patterns("monitor", "metrics.*")


class Page(HTMLParser):
    """A page's visible text, its addresses and the ids of its elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text, self.addresses, self.ids = "", [], set()
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._hidden += tag in ("script", "style")
        for name, value in attributes:
            if name in ("src", "href", "srcset", "action", "data"):
                self.addresses.append(value)
            if name == "id":
                self.ids.add(value)

    def handle_endtag(self, tag):
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self._hidden:
            self.text += f" {data}"

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


def written(run, map_file=None) -> tuple[str, Page]:
    path = run.parent / f"{run.name}.html"
    write_run_report(path, read_record(run), map_file)
    text = path.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory, config):
    return whole_run(tmp_path_factory.mktemp("reported") / "first", config)


def change(file, **parts):
    """Put other parts in a file of JSON."""
    file.write_text(json.dumps(json.loads(file.read_text()) | parts))


@pytest.fixture(scope="module")
def plain(tmp_path_factory, run) -> Page:
    """Of a run without a map, of a version that told one part's leak."""
    path = shutil.copytree(run, tmp_path_factory.mktemp("plain") / "run", ignore=CHARTED)
    change(path / "split.json", leak={"validation": 0.925})
    return written(path)[1]


@pytest.fixture(scope="module")
def odd(tmp_path_factory, run) -> tuple[str, Page]:
    """Of a run with settings of another version, the leak as one number, a damaged part and an evil name."""
    path = shutil.copytree(run, tmp_path_factory.mktemp("odd") / "run", ignore=SAMPLES)
    training = json.loads((path / "config.json").read_text())["training"]
    change(path / "config.json", training=training | {"momentum": 0.9})
    change(path / "split.json", leak=0.925)
    classes = json.loads((path / "classes.json").read_text())["classes"]
    change(path / "classes.json", classes=[{**classes[0], "name": "<script>alert(1)</script>"}, *classes[1:]])
    (path / "run.json").write_text('{"finished": true')
    return written(path)


@pytest.fixture(scope="module")
def page(run, config) -> tuple[str, Page]:
    return written(run, class_map(run.parent / "ground.tif", run, config))


def test_the_page_asks_nothing_of_any_network(page):
    _, parsed = page
    assert parsed.addresses
    assert all(address.startswith(("data:", "#")) for address in parsed.addresses)


def test_every_link_within_the_page_leads_somewhere(page):
    _, parsed = page
    inner = {address[1:] for address in parsed.addresses if address.startswith("#")}
    assert len(inner) > 8
    assert inner <= parsed.ids


def test_the_page_is_small_but_for_its_pictures(page):
    text, _ = page
    assert len(re.sub(r"data:image/\w+;base64,[\w+/=]+", "", text).encode()) < 0.75e6


def test_scores_are_those_that_evaluate_wrote(run, page):
    _, parsed = page
    scores = read_record(run).evaluations["test-best"]
    overall = scores.overall_accuracy
    assert f"Overall accuracy {100 * overall.value:.1f}%" in parsed.words
    assert f"95% interval {100 * overall.low:.1f} to {100 * overall.high:.1f}%" in parsed.words
    assert f"kappa {scores.kappa:.3f}" in parsed.words
    for row in scores.per_class:
        assert row.name in parsed.words
    assert "KNN" in parsed.words


def test_every_count_of_the_confusion_matrix_is_there(run, page):
    text, _ = page
    scores = read_record(run).evaluations["test-best"]
    table = text.split('aria-label="Confusion matrix, test')[1].split("</table>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in table.split("<tr>")[2:]]
    counts = [[int(cell or 0) for cell in row] for row in rows]
    assert counts == [list(row) for row in scores.confusion]


def test_epochs_split_ranks_and_environment_are_told(page):
    _, parsed = page
    words = parsed.words
    assert "1 10 3.0000 40.0% 3.2000 30.0% 0.005 yes" in words
    assert "Finished after 30 steps (3 epochs), in 1 min 16 s." in words
    assert "random split: 160 train, 40 validation, 40 test" in words.replace("patches ", "")
    assert "server" in words
    assert "activation gradient" in words
    assert "mpirun -np 5 mpmm train 'scene one/mpmm.toml' --epochs 3" in words
    assert "sha256 " + "ab" * 32 in words


@pytest.mark.parametrize(
    ("logged", "drawn"), [([0.01, 0.001], True), ([0.01, 0.01], False), ([None, 0.01], False), ([], False)]
)
def test_learning_rates_are_drawn_where_they_change(logged, drawn):
    """A run of an older version has none."""
    epochs = [{"epoch": number, "train_loss": 1.0, "rate": rate} for number, rate in enumerate(logged, 1)]
    assert ("rate" in curves(epochs)) == drawn


def test_all_layers_of_the_ground_are_there(page):
    text, parsed = page
    assert [name for name in ("map", "labels", "patches") if f'data-layer="{name}"' in text] == [
        "map",
        "labels",
        "patches",
    ]
    assert "The scene's rasters are not shown" not in parsed.words


def test_a_run_without_map_says_how_to_make_one(plain):
    assert "There is no map of this run yet." in plain.words
    assert "mpmm map" in plain.words


def test_its_own_map_beside_a_run_is_taken_and_no_other(tmp_path, run, config):
    run = shutil.copytree(run, tmp_path / "own", ignore=CHARTED)
    class_map(tmp_path / "map.tif", run.with_name("another"), config)
    assert 'data-layer="map"' not in written(run)[0]
    class_map(tmp_path / "map.tif", run, config)
    assert 'data-layer="map"' in written(run)[0]


def test_a_run_that_goes_on_is_reported_without_scores(tmp_path, config):
    begun_run(tmp_path / "begun", config, ranks=1)
    _, parsed = written(tmp_path / "begun")
    assert "The run has not ended: 10 steps so far; its last sign of life was 2023-11-14" in parsed.words
    assert "No scores yet" in parsed.words
    assert "No epoch has ended yet; the log holds 10 steps." in parsed.words


def test_a_folder_with_settings_alone_is_reported(tmp_path):
    run = tmp_path / "bare"
    run.mkdir()
    (run / "config.json").write_text("{}")
    _, parsed = written(run)
    assert "The run has made no step yet." in parsed.words
    assert "classes.json or normalization.json is missing" in parsed.words
    assert "holds no split.csv" in parsed.words
    assert "holds no samples of its ranks" in parsed.words
    assert "does not say by which command" in parsed.words


def test_settings_of_another_version_leave_only_the_network_out(odd):
    _, parsed = odd
    assert "The network is not shown" in parsed.words
    assert "Overall accuracy" in parsed.words


def test_a_damaged_part_is_named_and_the_rest_shown(odd):
    _, parsed = odd
    assert "run.json was left out" in parsed.words
    assert "Overall accuracy" in parsed.words


def test_the_leak_of_older_runs_is_told_too(plain, odd):
    for parsed in (plain, odd[1]):
        assert "92.5% of the validation patches share pixels with a training patch" in parsed.words


def test_names_cannot_break_out_of_the_page(odd):
    text, _ = odd
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_map_that_is_none_is_refused(tmp_path, run):
    (tmp_path / "no.tif").write_text("nothing")
    with pytest.raises(RunError, match="cannot be read"):
        write_run_report(tmp_path / "page.html", read_record(run), tmp_path / "no.tif")
