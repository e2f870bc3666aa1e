"""Predicts steps of 1 to 1,024 ranks, a host of one core each, and draws docs/images/scale.png; by hand.

    python tests/benchmarks/placement_scale.py [--to docs/images] [--data 1024]

The `paper` network at batches of 40, 320 and 2,560 on links of 1, 10 and 100 Gb/s: `auto`, which keeps the
bits of one process and has sixteen groups of samples to share out, and `data`, which averages gradients of as
many workers as there are samples. Layers take what a batch of 40 is measured to take here, others in
proportion. Some minutes, most of them for `data` on 256 ranks; on 1,024 (`--data 1024`) several more.
"""

import argparse
import json
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import matplotlib as mpl
from step_ours import paper_spec

from mpmm.placement import Host, Problem, choose, cluster, describe, layout_for, simulate
from mpmm.placement.candidates import MOST_RANKS
from mpmm.ranks import profile_of

mpl.use("Agg")
from matplotlib import pyplot

LINKS = {"1 Gb/s": (1.25e8, 1e-4), "10 Gb/s": (1.25e9, 5e-5), "100 Gb/s": (1.25e10, 2e-5)}
BATCHES = {40: "#1b6ca8", 320: "#d1495b", 2560: "#2e8b57"}
COUNTS = (1, 4, 16, 64, 256, 1024)
STEPS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path("docs/images"))
    parser.add_argument("--data", type=int, default=256, help="the most ranks for which data is simulated")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    results = []
    for predict, most in ((predict_auto, COUNTS[-1]), (predict_data, options.data)):
        for count in COUNTS:
            for batch in BATCHES:
                results += [predict(count, batch, link) for link in LINKS if count <= most]
            known = [row for row in results if row is not None]
            options.to.joinpath("scale.json").write_text(json.dumps(known, indent=1))
            draw(known, options.to / "scale.png")


@cache
def costs():
    """The network, and what its layers take here."""
    return describe(paper_spec()), profile_of(paper_spec(), 40, (1,))


def problem_of(count, batch, link):
    """So many hosts of a core each."""
    rate, delay = LINKS[link]
    return Problem(costs()[0], batch, costs()[1], cluster(range(count), Host(1, rate=rate), delay=delay))


@cache
def chosen(count, batch, link):
    """What the search chooses; of more ranks than it ever uses the rest would have nothing to do."""
    return choose(problem_of(count, batch, link), "")


def predict_auto(count, batch, link):
    """Patches a second of what the search chooses."""
    choice = chosen(min(count, MOST_RANKS), batch, link)
    return told(count, batch, link, "auto", choice.seconds, choice.reasons[0])


def predict_data(count, batch, link):
    """Patches a second of averaged gradients; None where workers would have no sample."""
    problem = problem_of(count, batch, link)
    if not 1 < count <= batch:
        return None
    layout = layout_for(problem.shape, count, "data")
    played = simulate(problem.shape, layout, batch, problem.profile, problem.machine, STEPS)
    busy = f"the server's link is in use {played.ranks[0].link:.0%} of a step"
    return told(count, batch, link, "data", played.seconds, busy)


def told(count, batch, link, layout, seconds, why):
    """A row, which is printed too."""
    print(
        f"{link:8} {layout:4} batch {batch:4} on {count:4}: {batch / seconds:9,.0f} patches/s; {why}",
        flush=True,
    )
    row = {"link": link, "ranks": count, "batch": batch, "layout": layout}
    return {**row, "speed": batch / seconds, "why": why}


def draw(results, path):
    """A panel a link: how many times as fast as one rank, by ranks, layouts and batches."""
    figure, panels = pyplot.subplots(1, len(LINKS), figsize=(13, 4.2), sharey=True, layout="constrained")
    for panel, link in zip(panels, LINKS, strict=True):
        counts = sorted({row["ranks"] for row in results})
        panel.plot(counts, counts, color="0.7", linewidth=1, label="as many times as ranks")
        for batch, color in BATCHES.items():
            for layout, style in (("auto", "o-"), ("data", "s--")):
                here = [row for row in results if (row["link"], row["batch"]) == (link, batch)]
                alone = next(row["speed"] for row in here if row["ranks"] == 1)
                points = [(row["ranks"], row["speed"] / alone) for row in here if row["layout"] == layout]
                label = f"{layout}, batch {batch:,}"
                panel.plot(
                    *zip(*points or [(1, 1)], strict=True), style, color=color, markersize=4, label=label
                )
        panel.set(title=link, xlabel="ranks, a host of one core each", xscale="log", yscale="log")
        panel.set_xticks(counts, [f"{count:,}" for count in counts], fontsize=8)
        panel.set_yticks(ticks := [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64], [f"{tick:g}" for tick in ticks])
        panel.set_ylim(0.125, 64)
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("times as fast as one rank")
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=8, loc="outside right center")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
