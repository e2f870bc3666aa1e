"""`mpmm plan --summary`: the table of the configured network."""

from click.testing import CliRunner
from small_runs import small_config

from mpmm.commands.plan import command


def test_summary_shows_the_configured_network(tmp_path):
    done = CliRunner().invoke(command, [str(small_config(tmp_path)), "--summary"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[2:-2]}
    assert rows["hsi.block1.convolution"][1:3] == ["7x3x3x4", "256"]
    assert "fusion.output.dense" in rows
    assert lines[-1].startswith("total")


def test_a_network_that_does_not_fit_is_one_line_naming_the_layer(tmp_path):
    config = small_config(tmp_path)
    config.write_text(config.read_text().replace("kernel = [7, 3, 3]", "kernel = [7, 3, 11]"))
    done = CliRunner().invoke(command, [str(config)])
    assert done.exception is not None
    assert "conv1 of stream hsi: 9 columns left, kernel needs 11" in str(done.exception)
