"""Training step and inference of many patch networks, ours beside PyTorch at its best; by hand.

    python tests/benchmarks/network_zoo.py [--only NAME ...] [--compile] [--passes 3] [--cpu avx2] [--json F]

Every network is measured in a process of its own for each number of threads, rivals in turn, medians. PyTorch
runs eager and, if asked, compiled, channels last and contiguous, and the fastest counts. Outputs of the same
weights are compared before. Whole networks: loading is not in it, everything else is. With ``--passes`` all
networks are measured so many times, and the least median of each rival counts: on a shared machine minutes
go by in which others take from caches and cores.
"""

import argparse
import json
import math
from itertools import product

from step_ours import Ours
from step_timing import in_process, in_turn
from zoo_networks import ZOO

FLOPS_OF_A_ROUND = 40e9
TIMED = "step", "inference"


def rivals(entry, options):
    """Ours and PyTorch's configurations: their training steps, and their inferences."""
    from step_pytorch import FORMATS, Twin

    spec = entry.make()
    ours = Ours(spec, entry.samples)
    logits = ours.infer().copy()
    train, infer = {"ours": ours.train}, {"ours": ours.infer}
    for compiled in (False, True)[: 1 + options.compile]:
        for memory in FORMATS:
            both = [Twin(spec, ours.patches, ours.labels, training, memory) for training in (True, False)]
            different = both[1].difference(ours.network, logits)
            if different > 1e-3:
                raise SystemExit(f"{options.measure}: outputs differ by {different:.1e} of the largest")
            if compiled:
                both = [twin.compiled() for twin in both]
            name = f"{'compiled' if compiled else 'eager'}, {memory}"
            train[name], infer[name] = both[0].train, both[1].infer
    return ours.network, {"step": train, "inference": infer}


def measure(options):
    """Median seconds of every rival for one network and one number of threads."""
    import torch
    from mpmm_kernels.runtime import set_threads

    threads = options.threads[0]
    torch.set_num_threads(threads)
    set_threads(threads)
    entry = ZOO[options.measure]
    network, runs = rivals(entry, options)
    rounds = round(FLOPS_OF_A_ROUND / (3 * network.cost().flops_forward * entry.samples))
    rounds = options.rounds or min(max(rounds, 5), 100)
    layers = (layer for block in network.blocks.values() for layer in block.layers)
    found = {"kernels": [layer.describe() for layer in layers if layer.describe()]}
    for what, each in runs.items():
        found[what] = {name: middle for name, (middle, _) in in_turn(each, rounds).items()}
    return found


def least_of(one, other):
    """The least seconds of each rival in two measurements."""
    both = {what: {name: min(one[what][name], other[what][name]) for name in one[what]} for what in TIMED}
    return one | both


def ratio(seconds):
    """How many times faster than the fastest of PyTorch's configurations."""
    return min(value for name, value in seconds.items() if name != "ours") / seconds["ours"]


def show(name, threads, found):
    """One line a network, number of threads, and step or inference."""
    for what in TIMED:
        seconds = found[what]
        best = min((name for name in seconds if name != "ours"), key=seconds.__getitem__)
        print(
            f"{name:24} {threads}  {what:9} {seconds['ours'] * 1e3:9.2f} {seconds[best] * 1e3:9.2f} "
            f"{ratio(seconds):6.2f}  {best}",
            flush=True,
        )


def summary(found):
    """Geometric mean and least of all ratios, for each number of threads."""
    for threads in sorted({threads for _, threads in found}):
        for what in TIMED:
            ratios = {name: ratio(one[what]) for (name, count), one in found.items() if count == threads}
            mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
            least = min(ratios, key=ratios.get)
            print(
                f"{threads} thread(s), {what}: geometric mean {mean:.2f} of {len(ratios)} networks, "
                f"least {ratios[least]:.2f} ({least})"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ZOO, default=list(ZOO), metavar="NAME")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, help="by default as many as a second or so holds")
    parser.add_argument("--passes", type=int, default=1, help="how often to measure each network")
    parser.add_argument("--compile", action="store_true", help="let PyTorch compile too")
    parser.add_argument("--cpu", choices=["native", "avx2"], default="native")
    parser.add_argument("--json", help="write all medians there")
    parser.add_argument("--measure", choices=ZOO, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options)))
        return
    extra = ["--compile"] * options.compile + (["--rounds", str(options.rounds)] if options.rounds else [])
    found = {}
    header = f"{'network':24} threads         ours ms   PyTorch  ratio  its best"
    print(header)
    for name, threads in list(product(options.only, options.threads)) * options.passes:
        one = in_process(__file__, threads, options.cpu, "--measure", name, "--threads", str(threads), *extra)
        show(name, threads, one)
        found[name, threads] = least_of(found.get((name, threads), one), one)
    if options.passes > 1:
        print(f"of {options.passes} passes\n{header}")
        for (name, threads), one in found.items():
            show(name, threads, one)
    summary(found)
    if options.json:
        with open(options.json, "w") as file:
            rows = [{"network": name, "threads": threads, **one} for (name, threads), one in found.items()]
            json.dump(rows, file, indent=2)


if __name__ == "__main__":
    main()
