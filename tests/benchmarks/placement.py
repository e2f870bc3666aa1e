"""The tables of docs/placement*.md: predicted and measured steps, one host and several, PyTorch; by hand.

    python tests/benchmarks/placement.py                      # all of it, as root on an idle machine
    python tests/benchmarks/placement.py --only peers --rounds 2
    python tests/benchmarks/placement.py --only hosts --place "48 bands, batches of 40" --rounds 3
    python tests/benchmarks/placement.py --quick              # fewer layouts, one round

Trains the `paper` network (48 and 3 bands, 25 x 25 pixels, batches of 40) in this machine's shared memory and
in virtual clusters. Every round runs each case of a place once, one after the other; shown are medians over
rounds. Predictions are for hosts as fast as `single` was in the same place right before and after, one number
for a machine whose neighbours slow it for minutes. placement.json and placement.md in --to are written after
each case. A round takes some 38 minutes on two idle cores: hosts 14, peers 4, prediction 20; with --quick 12
in all. Kernels that are not compiled yet take minutes more, once.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "launch"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from layouts import configured
from placement_calibration import PLAYED, at_speed, speed_by
from placement_places import Place, train, with_bands, with_batch, with_narrow_wires
from placement_tables import hosts_table, peers_table, prediction_table
from step_ours import BATCH, paper_spec
from step_timing import MALLOC

from mpmm.placement import choice_from_plain, describe, layout_for, simulate
from mpmm.ranks import profile_of

GIGABIT, SLOW = "1gbit", "100mbit"
SHARED = [("single", 1), ("baseline", 4), ("optimized", 4), ("sharded", 2), ("hybrid", 3), ("data", 3)]
FEW = [("single", 1), ("baseline", 4), ("optimized", 4), ("sharded", 2), ("sharded", 4), ("hybrid", 3)]
FEW += [("hybrid", 5), ("data", 4), ("auto", 3), ("auto", 5)]
MANY = [("sharded", 8), ("hybrid", 8), ("data", 8), ("auto", 8)]
UNEVEN = [("single", 1), ("sharded", 4), ("hybrid", 4), ("auto", 2), ("auto", 4)]
PLACES = [
    (Place("shared memory"), SHARED),
    (Place("1 Gb/s, 35%", (0.35,) * 5, GIGABIT), FEW),
    (Place("100 Mb/s, 35%", (0.35,) * 5, SLOW), FEW),
    (Place("1 Gb/s, 22%", (0.22,) * 8, GIGABIT), MANY),
    (Place("1 Gb/s, 35% to 20%", (0.35, 0.2, 0.5, 0.35), GIGABIT), UNEVEN),
]
# (bands, batch): the larger network has as many bands as sensors in space, the larger batch is that of
# HybridSN's authors, for patches of this size too: more to compute, as many parameters to exchange
FEW_BANDS, MANY_BANDS, LARGE_BATCH = 48, 224, 256
TRAININGS = [(FEW_BANDS, BATCH), (MANY_BANDS, BATCH), (FEW_BANDS, LARGE_BATCH)]
# hosts of 35%, but for six, which would want more than two cores have
HOSTS = [(4, 0.35, (1, 2, 4), *training) for training in TRAININGS]
HOSTS += [(6, 0.30, (1, 6), *training) for training in TRAININGS]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["prediction", "hosts", "peers"], action="append")
    parser.add_argument(
        "--place", default="", help='of prediction and hosts, those with this in their names: "48 bands"'
    )
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--quick", action="store_true", help="one round of fewer cases, shorter runs")
    parser.add_argument(
        "--to", type=Path, default=Path("placement-results"), help="folder of what is written"
    )
    options = parser.parse_args()
    parts = options.only or ["hosts", "peers", "prediction"]
    names = place_names(parts)
    if names and not any(options.place in name for name in names):
        parser.error(f"no place has '{options.place}' in its name; there are: {'; '.join(names)}")
    if options.quick:
        options.rounds, options.steps = 1, min(options.steps, 10)
    options.to.mkdir(parents=True, exist_ok=True)
    # ended by another program, it takes its cluster down as after Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(configured(Path(folder), "fast"), options)
        for part in parts:
            began = time.monotonic()
            getattr(bench, part)()
            bench.note(f"{part}: {(time.monotonic() - began) / 60:.1f} minutes")
    print(f"\n{options.to.joinpath('placement.md').read_text()}\nin {options.to}")


class Bench:
    """Runs parts, and writes what is known after each case: a run that is cut short has its tables too."""

    def __init__(self, config, options):
        self.config, self.options = config, options
        self.results = {"load": os.getloadavg(), "prediction": [], "hosts": [], "peers": []}
        self.spec = paper_spec()
        self.shape = describe(self.spec)
        # kept, for the searches of the runs
        for bands, batch in TRAININGS:
            profile_of(paper_spec(bands=bands), batch, (1, 2), anew=True)
        self.note("layers are timed")

    def prediction(self):
        """Measured and predicted seconds a step of layouts and ranks, in each place."""
        quick = self.options.quick
        places = [each for each in PLACES if self.options.place in each[0].name]
        for place, cases in places[:3] if quick else places:
            cases = cases[::3] if quick else cases
            rows = [{"place": place.name, "layout": layout, "ranks": ranks} for layout, ranks in cases]
            self.results["prediction"] += rows
            with place.up():
                for _ in range(self.options.rounds):
                    self._compare(place, rows)

    def _compare(self, place, rows):
        """Runs of all rows, and a prediction of each for a host as fast as `single` was before and after."""
        profile = profile_of(self.spec, BATCH, (1, 2), anew=True)
        before = self._single(place)
        for row in rows:
            trained = self._trained(place, row["layout"], row["ranks"], row)
            # a row of `single` tells the speed after itself; predicted it is by the run before alone
            alone = row["layout"] == "single"
            after = _seconds(trained) if alone else self._single(place)
            beside = [seconds for seconds in (before, None if alone else after) if seconds is not None]
            if trained is not None and beside:
                speed = speed_by(self.shape, BATCH, profile, place.machine(1), mean(beside))
                seconds = self._predicted(place, row, trained.chosen, profile, speed)
                row.setdefault("predictions", []).append(seconds)
                row.setdefault("single", []).append(beside)
                row["predicted"], row["measured"] = median(row["predictions"]), median(row["seconds"])
            before = after
            self.write()

    def _single(self, place):
        """Seconds of a step of one process, which tells how fast the place's hosts are; None: it failed."""
        return _seconds(self._trained(place, "single", 1, {}))

    def _config_of(self, bands, batch):
        """The configuration of a scene with so many hyperspectral bands, and of so large a batch."""
        config = self.config if bands == FEW_BANDS else with_bands(self.config, bands)
        return config if batch == BATCH else with_batch(config, batch)

    def _trained(self, place, layout, ranks, row, config=None):
        """One run; its seconds go to the row, or what it failed by."""
        try:
            trained = train(place, config or self.config, layout, ranks, self.options.steps)
        except Exception as error:
            row["failed"] = str(error)[-500:]
            self.note(f"{place.name} {layout} {ranks}: {row['failed']}")
            return None
        row.setdefault("seconds", []).append(trained.seconds)
        row["measured"] = median(row["seconds"])
        self.note(f"{place.name} {layout} {ranks}: {1e3 * trained.seconds:.1f} ms")
        return trained

    def _predicted(self, place, row, chosen, profile, speed):
        machine = at_speed(place.machine(row["ranks"]), speed)
        if chosen is not None:
            taken = choice_from_plain(chosen).layout
        else:
            taken = layout_for(self.shape, row["ranks"], row["layout"])
        return simulate(self.shape, taken, BATCH, profile, machine, PLAYED).seconds

    def hosts(self):
        """Patches a second of one host and of `auto` over several like it, at each rate."""
        for place, rows in [*self._clusters(GIGABIT), *self._clusters(SLOW)]:
            self.results["hosts"] += rows
            with place.up():
                for _ in range(self.options.rounds):
                    for row in rows:
                        self._scale(place, row)

    def _clusters(self, rate):
        """Those that are wanted with links of a rate, with their rows; quickly the first."""
        clusters = [cluster_of(rate, *case) for case in HOSTS]
        wanted = [each for each in clusters if self.options.place in each[0].name]
        return wanted[:1] if self.options.quick else wanted

    def _scale(self, place, row):
        layout = "single" if row["hosts"] == 1 else "auto"
        trained = self._trained(place, layout, row["hosts"], row, self._config_of(row["bands"], row["batch"]))
        if trained is not None and trained.chosen is not None:
            row["chosen"] = trained.chosen["reasons"]
        self.write()

    def peers(self):
        """Patches a second of PyTorch's ways beside `auto`, on the same four hosts of 35%."""
        for rate in (GIGABIT, SLOW):
            place = Place(f"{rate}, 35%", (0.35,) * 4, rate)
            ours = {"place": place.name, "way": "mpmm auto", "ours": True}
            # other bits by choice, as PyTorch's bfloat16 are
            rounded = {**ours, "way": "mpmm auto, bfloat16"}
            theirs = {}
            with place.up():
                for _ in range(self.options.rounds):
                    self._trained(place, "auto", 4, ours)
                    self._trained(place, "auto", 4, rounded, with_narrow_wires(self.config))
                    self._torch(place, theirs)
                    self.results["peers"] = [
                        *(row for row in self.results["peers"] if row["place"] != place.name),
                        ours,
                        rounded,
                        *theirs.values(),
                    ]
                    self.write()

    def _torch(self, place, rows):
        """Every way of PyTorch once, in one start of its ranks."""
        command = [
            str(Path(__file__).with_name("placement_torch.py")),
            "--steps",
            str(self.options.steps - 4),
        ]
        os.environ.update(MALLOC)
        try:
            output = place.run(4, [*command, *(["--quick"] if self.options.quick else [])])
        except Exception as error:
            self.note(f"PyTorch: {str(error)[-1000:]}")
            return
        finally:
            for name in MALLOC:
                os.environ.pop(name, None)
        found = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
        for way, seconds in found.items():
            row = rows.setdefault(way, {"place": place.name, "way": way, "seconds": []})
            row["seconds"].append(seconds)
            row["measured"] = median(row["seconds"])
            self.note(f"{place.name} {way}: {1e3 * seconds:.1f} ms")

    def note(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def write(self):
        """Everything that is known by now, as data and as tables."""
        self.results["load"] = os.getloadavg()
        self.options.to.joinpath("placement.json").write_text(json.dumps(self.results, indent=2))
        tables = [
            make(self.results[name])
            for name, make in (
                ("prediction", prediction_table),
                ("hosts", hosts_table),
                ("peers", peers_table),
            )
            if self.results[name]
        ]
        self.options.to.joinpath("placement.md").write_text("\n\n".join(tables) + "\n")


def cluster_of(rate, count, quota, numbers, bands, batch):
    """A cluster of so many hosts, and a row for each of the numbers of them that a training takes."""
    place = Place(f"{rate}, {quota:.0%}, {bands} bands, batches of {batch}", (quota,) * count, rate)
    row = {"place": place.name, "rate": rate, "quota": quota, "bands": bands, "batch": batch}
    return place, [{**row, "hosts": each} for each in numbers]


def place_names(parts):
    """Of the places that parts measure in: prediction's and those of hosts; peers has its own two."""
    clusters = [cluster_of(rate, *case) for rate in (GIGABIT, SLOW) for case in HOSTS]
    places = {"prediction": PLACES, "hosts": clusters}
    return [place.name for part in parts for place, _ in places.get(part, [])]


def _seconds(trained):
    """Seconds of a step of a run; None of one that failed."""
    return None if trained is None else trained.seconds


if __name__ == "__main__":
    main()
