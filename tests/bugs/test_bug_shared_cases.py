"""The bugs of ../shared/cases: each script writes files, and the commands that it prints do right."""

import ast
import io
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import rasterio
from bug_scenes import ROOT, cube, labels
from mpi_runner import run_ranks

from mpmm.commands import main
from mpmm.settings import load_config

CASES = ROOT.parent / "shared" / "cases"
TOOLS = ("cp", "mv", "rm", "cmp")


class Ended(NamedTuple):
    """A command's exit code, and what it printed on both streams."""

    code: int
    out: str
    err: str


class Case:
    """A script's files in a folder and the commands that it printed, which `run` plays one by one."""

    def __init__(self, script: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        printed = io.StringIO()
        monkeypatch.setattr(sys, "argv", [script.name, str(folder)])
        monkeypatch.setattr(sys, "stdout", printed)
        runpy.run_path(str(script), run_name="__main__")
        monkeypatch.undo()
        for config in folder.rglob("*.toml"):
            text = config.read_bytes().replace(b"[network]\n", b'[network]\nkernels = "reference"\n')
            config.write_bytes(text.replace(b"epochs = 25", b"epochs = 12").replace(b" = 200", b" = 100"))
        lines = [line for line in printed.getvalue().splitlines() if not line.startswith("right: ")]
        parts = [shlex.split(part, comments=True) for line in lines for part in line.split(";")]
        self.commands = [words for words in parts if words]

    def run(self) -> list[Ended]:
        """What each of mpmm's commands ended with, in one process, and other tools in between."""
        ended = []
        for words in self.commands:
            if words[0] == "mpmm":
                ended.append(self.mpmm(*words[1:]))
            elif words[0] in TOOLS:
                subprocess.run(words, check=True, timeout=60)
            elif words[0] == "python":
                runpy.run_path(words[1])
        return ended

    def mpmm(self, *arguments: str, encoding: str = "utf-8") -> Ended:
        """What one command ends with whose output goes to a terminal of this encoding."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        with self._patch.context() as patch:
            patch.setattr(sys, "argv", ["mpmm", *arguments])
            for name, stream in zip(("stdout", "stderr"), streams, strict=True):
                patch.setattr(sys, name, stream)
            for hook in ("excepthook", "unraisablehook"):
                patch.setattr(sys, hook, getattr(sys, hook))
            with pytest.raises(SystemExit) as ended:
                main()
            for stream in streams:
                stream.flush()
        return Ended(
            int(ended.value.code or 0), *(each.buffer.getvalue().decode(encoding) for each in streams)
        )

    def values(self, config: str = "scene.toml") -> tuple[np.ndarray, np.ndarray]:
        """Values (bands, rows, columns) of the modality as it is aligned, and where it has data."""
        aligned = load_config(self.folder / config).scene.align().modalities["hsi"]
        return aligned.values.transpose(2, 0, 1), aligned.present


def refused(ended: Ended, *words: str) -> None:
    """Hold that a command ended in one line with these words, and a hint."""
    assert ended.code == 1, ended
    first, hint = ended.err.splitlines()
    assert first.startswith("error: "), ended.err
    assert hint.startswith("hint: "), ended.err
    for word in words:
        assert word in ended.err


def done(ended: list[Ended]) -> list[str]:
    """What commands printed that all succeeded."""
    assert all(each.code == 0 for each in ended), ended
    return [each.out for each in ended]


def all_nodata_bands(case: Case) -> None:
    refused(*case.run(), "no data in band 4, 5,", "drop_bands = [4, 5]")


def alpha_with_nodata(case: Case) -> None:
    # the hidden third is all of class 1, which the command tells after the table
    for ended, nodata in zip([case.mpmm(*words[1:]) for words in case.commands], (None, 0), strict=True):
        assert "33.3%" in ended.out
        np.testing.assert_array_equal(case.values(f"nodata_{nodata}.toml")[1], labels() > 1)


def ascii_stdout(case: Case) -> None:
    (words,) = case.commands
    encoding = words.pop(0).removeprefix("PYTHONIOENCODING=")
    ended = case.mpmm(*words[1:], encoding=encoding)
    assert ended.code == 0, ended
    assert re.search(r"1 \|\? class 1", ended.out), ended.out


def band_order_transfer(case: Case) -> None:
    trained, reordered, unscaled = case.run()
    assert "bands 8, 7, 6, 5, 4, 3, 2, 1 are those of the training" in done([trained, reordered])[1]
    with rasterio.open(case.folder / "reversed.tif") as dataset:
        ids = dataset.read(1)[2:-2, 2:-2]
    assert np.mean(ids == labels()[2:-2, 2:-2]) > 0.95
    refused(unscaled, "scale 0.0001", "--force-bands")
    assert not (case.folder / "unscaled.tif").exists()


def bom_config(case: Case) -> None:
    done(case.run())
    np.testing.assert_array_equal(case.values()[0], cube())


def bracket_folder(case: Case) -> None:
    done(case.run())
    np.testing.assert_array_equal(case.values("data [2018]/scene.toml")[0], cube())


def envi_latin1(case: Case) -> None:
    assert "(400 to 1100 nm)" in done(case.run())[0]
    np.testing.assert_array_equal(case.values()[0], cube())


def evaluate_patches_leak(case: Case) -> None:
    text = done(case.run())[1]
    scores = json.loads(next(case.folder.glob("run/evaluation/*/scores.json")).read_text())
    assert scores["samples"] == 500
    # blocks that are not for training hold 500 patches' centres, a few of whose pixels lie over their border
    assert f"{100 * scores['overlap_with_training']:.1f}% of the patches share pixels" in text


def extent_infinite(case: Case) -> None:
    trained, ended = case.run()
    done([trained])
    assert ended.code == 2
    assert "inf is not finite" in ended.err
    assert "Traceback" not in ended.err
    assert not (case.folder / "x.tif").exists()


def labels_in_pattern(case: Case) -> None:
    done(case.run())
    with rasterio.open(case.folder / "height.tif") as dataset:
        np.testing.assert_array_equal(case.values()[0], dataset.read())


def local_crs(case: Case) -> None:
    refused(*case.run(), "img.dat is in Arbitrary, the labels in EPSG:32632")


def map_over_input(case: Case) -> None:
    # cmp ends with an error where the label raster has changed
    trained, ended = case.run()
    done([trained])
    refused(ended, "labels.tif")


def moved_data(case: Case) -> None:
    trained, scored, resumed = case.run()
    done([trained, resumed])
    refused(scored, "case/old does not exist", "mpmm evaluate RUN CONFIG")
    assert "step 6" in resumed.out or "6 of 6" in resumed.out
    done([case.mpmm("evaluate", f"{case.folder}/run", f"{case.folder}/new/scene.toml")])


def mpirun_user_error(case: Case) -> None:
    words = case.commands[1]
    assert words[:3] == ["launch/mpmm-run", "-np", "5"]
    ended = run_ranks(2, ["-m", "mpmm", *words[3:]], limit=120)
    assert (ended.code, ended.err.count("error: "), ended.err.count("hint: ")) == (1, 1, 1), ended
    assert "Traceback" not in ended.err


def nested_vrt_stale(case: Case) -> None:
    first, second, third = done(case.run())
    for text, low in ((first, 157), (second, 20157), (third, 20157)):
        assert re.search(r"aligning +hsi", text)
        assert f"values {low} to" in text
    np.testing.assert_array_equal(case.values()[0], cube() + 20000)


def no_home(case: Case) -> None:
    (words,) = case.commands
    unshare = words[words.index("unshare") : words.index("check") - 2]
    if shutil.which("unshare") is None or subprocess.run([*unshare, "true"], check=False).returncode:
        pytest.skip("no user can be given here that is not in passwd")
    command = ["env", "-i", f"PYTHONPATH={ROOT}:{ROOT / 'kernels'}", *unshare, sys.executable, "-m", "mpmm"]
    ended = subprocess.run(
        [*command, *words[words.index("check") :]], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended
    assert "class 3" in ended.stdout


def rgb_labels(case: Case) -> None:
    refused(*case.run(), "labels.tif has 3 bands; expected one", "band = 1")


def separate_test_labels(case: Case) -> None:
    config = case.folder / "scene.toml"
    split = 'split = "given"\nlabels_train = "train.tif"\nlabels_test = "test.tif"'
    config.write_text(config.read_text().replace("per_class = 30", split))
    run = f"{case.folder}/run"
    done(
        [
            case.mpmm("train", str(config), "--run", run, "--steps", "2"),
            case.mpmm("evaluate", run, "--part", "test"),
        ]
    )
    rows, parts = np.loadtxt(
        f"{run}/split.csv", delimiter=",", skiprows=1, usecols=(1, 0), dtype=str, unpack=True
    )
    assert {part for row, part in zip(rows, parts, strict=True) if int(row) >= 24} == {"test"}


def subdatasets(case: Case) -> None:
    whole, single = case.run()
    refused(whole, "hsi.nc holds 8 subdatasets: Band1, Band2,", "hsi.nc:Band1")
    # a network of three bands is too large for the one band, which is read
    refused(single, "1 band")
    np.testing.assert_array_equal(case.values("one.toml")[0], cube()[:1])


def vrt_missing_source(case: Case) -> None:
    refused(*case.run(), "hsi.vrt draws on", "hsi.tif, which is missing")


RIGHT = {
    name: value for name, value in globals().items() if (CASES / f"{name}.py").is_file() and callable(value)
}


@pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
@pytest.mark.skipif(not CASES.is_dir(), reason="the scripts of ../shared/cases are not here")
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(script, id=script.stem, marks=[pytest.mark.mpi] if "mpirun" in script.stem else [])
        for script in sorted(CASES.glob("*.py"))
    ],
)
def test_the_right_value(script, tmp_path, monkeypatch):
    """A public bug report of a neighbouring tool; the script's first line tells it.
    Its commands gave a wrong result without a word, a traceback or a misleading line.
    Right: what the script prints after "right:", which the function of its name looks at.
    """
    assert ast.get_docstring(ast.parse(script.read_text()))
    RIGHT[script.stem](Case(script, tmp_path / "case", monkeypatch))
