"""Runs over a virtual cluster: a script stands in for it, which counts as its interfaces would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comparison_checks import differences, rows_of
from comparison_runs import Written, a_study

from mpmm.comparison import compare, experiments, study
from mpmm.comparison.virtual_hosts import check_hosts, counted, interfaces_of
from mpmm.errors import RunError

# each status finds that host k has received 1,000 (k + 1) bytes more and sent twice as many
STATUS = """\
#!/bin/sh
echo x >> {folder}/asked
python3 - {hosts} $(wc -l < {folder}/asked) <<'END'
import json, sys
hosts, asked = map(int, sys.argv[1:])
totals = [1000 * asked * (host + 1) for host in range(hosts)]
print(json.dumps({{"hosts": [
    {{"name": f"node{{host}}", "received": total, "sent": 2 * total,
     "used": total / 1e3, "throttled": None}}
    for host, total in enumerate(totals)]}}))
END
"""


@pytest.fixture
def cluster(tmp_path) -> Path:
    script = tmp_path / "virtual-cluster"
    script.write_text(STATUS.format(folder=tmp_path, hosts=5))
    script.chmod(0o755)
    return script


def test_bytes_of_a_run_that_went_on_are_added(cluster, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    assert interfaces_of(run) == []
    for times in (1, 2):
        with counted(cluster, run):
            pass
        counted_last = {"received": 5e3 * times, "sent": 1e4 * times, "used": 5.0 * times, "throttled": 0.0}
        assert interfaces_of(run)[4] == counted_last


def test_fewer_hosts_than_ranks_are_refused(cluster):
    check_hosts(cluster, 5)
    with pytest.raises(RunError, match="5 hosts are up, 6 ranks want one each"):
        check_hosts(cluster, 6)


@pytest.mark.parametrize("text", ["exit 1", "echo no JSON", "echo '{\"hosts\": [{}]}'"])
def test_a_cluster_that_is_not_up_is_told_with_the_way_to_start_it(cluster, text):
    cluster.write_text(f"#!/bin/sh\n{text}\n")
    with pytest.raises(RunError, match="up 5 --rate 1gbit"):
        check_hosts(cluster, 5)


def test_ranks_are_trained_on_the_hosts_and_their_interfaces_shown(cluster, tmp_path, config, monkeypatch):
    written, launchers = Written(), {}

    def launch(file: Path, ranks: int, launcher: tuple[str, ...] = ()) -> None:
        launchers[file.stem] = list(launcher)
        written(file, ranks)

    monkeypatch.setattr(study, "launch", launch)
    monkeypatch.setattr(experiments, "draw_curves", lambda *_: None)
    folder = tmp_path / "compared"
    shared = a_study(folder, config)
    compare(type(shared)(folder, shared.config, True, shared.say, cluster), ["layouts"])
    assert launchers["train-layout-single"] == []
    assert launchers["train-layout-baseline"] == [str(cluster), "run"]
    assert differences(folder) == []
    rows = rows_of(folder / "experiments" / "layouts" / "figure13.csv")
    third = next(row for row in rows if (row["layout"], row["rank"]) == ("baseline", "3"))
    steps = 30
    kept = json.loads((folder / "runs" / "layout-baseline" / "interfaces.json").read_text())["hosts"][3]
    assert kept["received"] == 4000
    assert third["interface: MB in, a step"] == f"{kept['received'] / 1e6 / steps:.3f}"
    assert third["interface: MB out, a step"] == f"{kept['sent'] / 1e6 / steps:.3f}"
    assert third["CPU of the host, s"] == f"{kept['used']:.1f}"
    assert next(row for row in rows if row["layout"] == "single")["interface: MB in, a step"] == "–"
