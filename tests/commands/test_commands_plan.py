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


def test_with_ranks_it_shows_what_each_owns_sends_and_does(tmp_path):
    config = str(small_config(tmp_path))
    done = CliRunner().invoke(command, [config, "-n", "5", "--layout", "optimized"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].startswith("layout optimized, 5 ranks, one step over ")
    roles = {line.split()[0]: line.split()[1] for line in lines[5:10]}
    assert roles == {"0": "server", "1": "worker", "2": "worker", "3": "worker", "4": "driver"}
    assert any(line.split()[:3] == ["2", "activation", "3"] for line in lines)
    assert [line for line in lines if line.startswith("rank ") and line.endswith(":")] == [
        "rank 0, server:",
        "rank 1, worker:",
        "rank 2, worker:",
        "rank 3, worker:",
        "rank 4, driver:",
    ]
    assert "forward hsi.block1" in lines
    one = CliRunner().invoke(command, [config, "-n", "5", "--rank", "2"]).output
    assert "rank 2, worker:" in one
    assert "rank 1, worker:" not in one


def test_the_configurations_own_assignment_and_counts_that_do_not_fit(tmp_path):
    config = small_config(tmp_path)
    refused = CliRunner().invoke(command, [str(config), "-n", "9"])
    assert "layout baseline of 2 streams cannot use 9 ranks" in str(refused.exception)
    config.write_text(f"{config.read_text()}\n[layout.ranks]\nhsi = 1\nrgb = 2\nfusion = 2\n")
    own = CliRunner().invoke(command, [str(config), "-n", "3"]).output
    assert own.startswith("layout custom, 3 ranks")
    assert "rgb.block1..fusion.output" in own
