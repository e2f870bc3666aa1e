"""A small share of the fuzzing campaign; and that it sees what is wrong."""

import pytest
from campaigns import fuzz

from mpmm.errors import MpmmError


# rasterio's log of GDAL's words fails for bytes that are not UTF-8, where no caller can catch it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_mutated_files_are_read_or_refused():
    counts, wrong = fuzz.campaign(700, seed=1, seconds=10)
    assert wrong == []
    assert {kind for kind, _ in counts} == {
        "configurations",
        "layouts",
        "checkpoints",
        "ENVI headers",
        "VRTs",
        "GeoTIFFs",
        "label rasters",
    }
    assert {outcome for _, outcome in counts} == {"read", "refused"}


def outcome(read) -> str:
    return fuzz.played(fuzz.Target(None, True, read), None)[0]


def test_what_is_wrong_is_seen(monkeypatch):
    def two_lines(_):
        error = MpmmError("a", "hint")
        error.problem = "a\nb"
        raise error

    def without_hint(_):
        raise MpmmError("a")

    def forever(_):
        while True:
            pass

    monkeypatch.setattr(fuzz, "SECONDS", 1)
    assert outcome(lambda _: 1 / 0) == "traceback"
    assert outcome(two_lines) == outcome(without_hint) == "not one line"
    assert outcome(forever) == "hang"
    assert outcome(lambda _: None) == "read"


def test_a_written_file_is_seen(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("a = 1")
    target = fuzz.Target(file, True, lambda _: (tmp_path / "b").touch())
    assert fuzz.case(tmp_path, {"kind": [target]}, 0, 0)[1] == "written"
    assert file.read_text() == "a = 1"
