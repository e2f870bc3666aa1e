"""The tables of docs/placement*.md: predicted and measured steps, one host and several, PyTorch; by hand.

    python tests/benchmarks/placement.py                      # all of it, as root on an idle machine
    python tests/benchmarks/placement.py --only peers --rounds 2
    python tests/benchmarks/placement.py --only hosts --place "48 bands, batches of 40" --rounds 3
    python tests/benchmarks/placement.py --quick              # fewer cases, five rounds

Trains the `paper` network (48 and 3 bands, 25 x 25 pixels, batches of 40) in this machine's shared memory and
in virtual clusters. All cases of a place are started, each in hosts of its own, and take turns of
seconds, the others suspended: see placement_turns.py. Shown are medians over rounds, and of the ratios to one
host in the same round. Predictions are for hosts as fast as `single` was in the same rounds, one number for a
machine whose neighbours slow it. placement.json and placement.md in --to are written after each place. All of
it takes some 90 minutes on two idle cores: hosts 45, peers 20, prediction 25; with --quick a fifth. Kernels
that are not compiled yet take minutes more, once.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "launch"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from layouts import configured
from placement_calibration import PLAYED, at_speed, speed_by
from placement_places import Place, Work, with_narrow_wires
from placement_tables import hosts_table, peers_table, prediction_table
from placement_turns import Training, TurnFailed, started
from step_ours import BATCH, paper_spec
from step_timing import MALLOC

from mpmm.placement import choice_from_plain, describe, layout_for, profile_from_json, simulate

# times layers in a place's host
PROFILE = str(Path(__file__).with_name("placement_profile.py"))
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
# what hosts train: more bands, as sensors in space have, and the larger batch that HybridSN's authors use are
# more to compute with as many parameters to exchange; SSRN computes 14 times as long with a quarter of them
MANY_BANDS, LARGE_BATCH = 224, 256
TRAININGS = [
    Work(),
    Work(bands=MANY_BANDS),
    Work(batch=LARGE_BATCH),
    Work(bands=MANY_BANDS, batch=LARGE_BATCH),
    Work("ssrn", batch=96),
]
# (a host's share of a core, hosts): six of 35% would want more than two cores have
HOSTS = [(0.35, 1), (0.35, 2), (0.35, 4), (0.30, 1), (0.30, 6)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["prediction", "hosts", "peers"], action="append")
    parser.add_argument(
        "--place", default="", help='of prediction and hosts, those with this in their names: "48 bands"'
    )
    parser.add_argument("--rounds", type=int, default=20, help="in which each case has a turn")
    parser.add_argument("--turn", type=float, default=3.0, help="seconds of a turn")
    parser.add_argument("--quick", action="store_true", help="fewer cases, five rounds")
    parser.add_argument(
        "--to", type=Path, default=Path("placement-results"), help="folder of what is written"
    )
    options = parser.parse_args()
    parts = options.only or ["hosts", "peers", "prediction"]
    names = place_names(parts)
    if names and not any(options.place in name for name in names):
        parser.error(f"no place has '{options.place}' in its name; there are: {'; '.join(names)}")
    if options.quick:
        options.rounds = min(options.rounds, 5)
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
        self.results = {"load": os.getloadavg(), "profiles": {}, "prediction": [], "hosts": [], "peers": []}
        self.spec = paper_spec()
        self.shape = describe(self.spec)

    def prediction(self):
        """Measured and predicted seconds a step of layouts and ranks, in each place."""
        quick = self.options.quick
        places = [each for each in PLACES if self.options.place in each[0].name]
        for place, cases in places[:3] if quick else places:
            cases = [("single", 1), *(cases[1::3] if quick else cases)]
            rows = [
                {"place": place.name, "layout": layout, "ranks": ranks}
                for layout, ranks in dict.fromkeys(cases)
            ]
            self.results["prediction"] += rows
            profile = self._profile(place, Work())
            self._turns(rows, [self._training(place, self.config, row) for row in rows])
            self._predict(place, rows, profile)
            self.write()

    def _profile(self, place, work):
        """What layers take in one of a place's hosts; kept there, for the searches of the runs."""
        known = self.config.parent / f"profile-{time.time_ns()}.json"
        training = Training(
            place, 1, [PROFILE, work.preset, str(work.bands), str(work.batch), str(known)], known
        )
        training.finish()
        self.results["profiles"][f"{place.name}, {work.name}"] = known.read_text()
        return profile_from_json(known.read_text())

    def _predict(self, place, rows, profile):
        """A prediction for each row but `single`, whose speed they are for."""
        known = [row for row in rows if "measured" in row]
        if rows[0] not in known:
            return
        speed = speed_by(self.shape, BATCH, profile, place.machine(1), rows[0]["measured"])
        for row in known[1:]:
            machine = at_speed(place.machine(row["ranks"]), speed)
            chosen = row.get("chosen")
            layout = choice_from_plain(chosen).layout if chosen else None
            layout = layout or layout_for(self.shape, row["ranks"], row["layout"])
            row["predicted"] = simulate(self.shape, layout, BATCH, profile, machine, PLAYED).seconds

    def _training(self, place, config, row):
        """A training of mpmm that is not started yet."""
        path = config.parent / f"run-{time.time_ns()}"
        command = ["mpmm", "train", str(config), "--run", str(path), "--steps", "1000000"]
        if row["ranks"] > 1 or row["layout"] == "single":
            command += ["--layout", row["layout"]]
        return Training(place, row["ranks"], command, path / "metrics.jsonl")

    def _turns(self, rows, trainings):
        """Let the trainings take turns; seconds of a step by round, to their rows."""
        try:
            with started(trainings):
                for row, training in zip(rows, trainings, strict=True):
                    row |= {"seconds": [], "chosen": chosen_by(training)}
                for _ in range(self.options.rounds):
                    for row, training in zip(rows, trainings, strict=True):
                        row["seconds"].append(training.turn(self.options.turn))
        except TurnFailed as error:
            rows[0]["failed"] = str(error)
            self.note(f"failed: {error}")
        for row in rows:
            if row.get("seconds"):
                row["measured"] = median(row["seconds"])
        self.note(", ".join(f"{1e3 * row['measured']:.1f}" for row in rows if "measured" in row) + " ms")

    def hosts(self):
        """Patches a second of one host and of `auto` over several like it, at each rate."""
        places = [(rate, work) for rate in (GIGABIT, SLOW) for work in TRAININGS]
        wanted = [each for each in places if self.options.place in place_name(*each)]
        for rate, work in wanted[:1] if self.options.quick else wanted:
            config = work.config(self.config)
            rows, trainings = [], []
            for quota, hosts in HOSTS:
                place = Place(place_name(rate, work), (quota,) * hosts, rate)
                row = {"place": place.name, "rate": rate, "quota": quota, "trained": work.name}
                row |= {"batch": work.batch, "ranks": hosts, "layout": "single" if hosts == 1 else "auto"}
                rows.append(row)
                trainings.append(self._training(place, config, row))
            self.results["hosts"] += rows
            for quota in dict.fromkeys(quota for quota, _ in HOSTS):
                self._profile(Place(f"{rate}, {quota:.0%}", (quota,), rate), work)
            self.note(place_name(rate, work))
            self._turns(rows, trainings)
            self.write()

    def peers(self):
        """Patches a second of PyTorch's ways beside `auto`, on the same four hosts of 35%."""
        # the other parts need no torch
        from placement_torch import PIPELINES, WAYS

        for rate in (GIGABIT, SLOW):
            place = Place(f"{rate}, 35%", (0.35,) * 4, rate)
            self._profile(place, Work())
            ours = {"mpmm auto": self.config, "mpmm auto, bfloat16": with_narrow_wires(self.config)}
            rows = [
                {"place": place.name, "way": way, "ours": True, "ranks": 4, "layout": "auto"} for way in ours
            ]
            trainings = [
                self._training(place, config, row) for row, config in zip(rows, ours.values(), strict=True)
            ]
            ways = [*WAYS, *PIPELINES]
            for way in ways[3:6] if self.options.quick else ways:
                log = self.config.parent / f"torch-{time.time_ns()}.jsonl"
                command = [
                    str(Path(__file__).with_name("placement_torch.py")),
                    "--way",
                    way,
                    "--log",
                    str(log),
                ]
                rows.append({"place": place.name, "way": way})
                trainings.append(Training(place, 4, command, log, MALLOC))
            self.results["peers"] += rows
            self.note(place.name)
            self._turns(rows, trainings)
            self.write()

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


def chosen_by(training):
    """What the search has chosen, if the training has a layout of its own; None for all else."""
    layout = training.log.with_name("layout.json")
    return json.loads(layout.read_text()).get("chosen") if layout.exists() else None


def place_name(rate, work):
    return f"{rate}, {work.name}"


def place_names(parts):
    """Of the places that parts measure in: prediction's and those of hosts; peers has its own two."""
    hosts = [place_name(rate, work) for rate in (GIGABIT, SLOW) for work in TRAININGS]
    places = {"prediction": [place.name for place, _ in PLACES], "hosts": hosts}
    return [name for part in parts for name in places.get(part, [])]


if __name__ == "__main__":
    main()
