"""docs/network.md is true: its examples run, its paper is the preset."""

import re
from pathlib import Path

import pytest

from mpmm.network import Network, paper

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "network.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize("text", EXAMPLES, ids=["training", "own", "residual"])
def test_example_runs(text):
    names = {}
    exec(text.replace("40", "2"), names)
    if "scores" in names:
        assert names["scores"].shape == (2, 20)
    else:
        Network(names["spec"])


@pytest.mark.parametrize(("label", "modality"), [("HSI", "hsi"), ("RGB", "rgb")])
def test_the_table_is_the_preset(label, modality):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {label} ("))
    (stream,) = paper({"hsi": 48, "rgb": 3}, 20, modalities=(modality,)).streams
    shown = re.findall(r"(\d+) @ (\S+), pool (\S+)", row)
    assert shown == [
        (str(block.filters), "x".join(map(str, block.kernel)), "x".join(map(str, block.window)))
        for block in stream.blocks
    ]
    flattened = Network(paper({"hsi": 48, "rgb": 3}, 20)).blocks[f"{modality}.head"].layers[0].output_shape[0]
    assert f"flatten {flattened}, dense {stream.dense[0].units}" in row
