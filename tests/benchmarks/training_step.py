"""Seconds of a training step and of inference of the `paper` network, ours beside PyTorch's best; by hand.

    python tests/benchmarks/training_step.py --threads 1 2 --json step.json [--compile] [--cpu avx2]

Each number of threads is measured in a process of its own, in which rivals run in turn, so that they meet the
same machine. Loading is not in it. Memory is the peak of a process that trains by one rival only.
"""

import argparse
import json
import platform
import resource

from step_layers import measure_layers
from step_ours import BATCH, Ours, paper_spec, random_batch
from step_timing import in_process, in_turn, peak


def measure_steps(rounds, compile_pytorch):
    """(median, least) seconds of every rival's training step and inference."""
    from step_pytorch import Twin

    ours = {f"ours, {kernels}": Ours(paper_spec(kernels)) for kernels in ("fast", "direct")}
    theirs = {"PyTorch": Twin}
    if compile_pytorch:
        theirs["PyTorch, compiled"] = lambda *arguments: Twin(*arguments).compiled()
    steps = {name: each.train for name, each in ours.items()}
    inference = {name: each.infer for name, each in ours.items()}
    for name, make in theirs.items():
        arguments = paper_spec(), *random_batch(paper_spec())
        steps[name], inference[name] = make(*arguments, True).train, make(*arguments, False).infer
    cost = ours["ours, fast"].network.cost()
    forward, both = BATCH * cost.flops_forward, BATCH * (cost.flops_forward + cost.flops_backward)
    return {
        "operations": {"step": both, "inference": forward},
        "step": in_turn(steps, rounds),
        "inference": in_turn(inference, rounds),
    }


def peak_memory(rival):
    """Bytes of a process that trains five steps by one rival."""
    if rival == "ours":
        train = Ours(paper_spec()).train
    else:
        from step_pytorch import Twin

        train = Twin(paper_spec(), *random_batch(paper_spec()), True).train
    for _ in range(5):
        train()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(threads, options):
    """All figures for one number of threads, as a dictionary."""
    import torch
    from mpmm_kernels.runtime import set_threads

    torch.set_num_threads(threads)
    set_threads(threads)
    return {
        "peak": peak(threads),
        "layers": measure_layers(options.rounds),
        **measure_steps(options.rounds, options.compile),
    }


def ratio(seconds, kernels="fast"):
    """How many times faster than PyTorch's best, by medians."""
    best = min(median for name, (median, _) in seconds.items() if name.startswith("PyTorch"))
    return best / seconds[f"ours, {kernels}"][0]


def show(threads, found):
    """Print the tables of one number of threads."""
    print(f"\n{threads} thread(s), {found['peak'] / 1e9:.0f} GFLOP/s of multiply-adds in registers")
    columns = "forward ms", "PyTorch", "GFLOP/s", "% of peak", "both ms", "PyTorch", "ratio"
    print(f"{'block':7} {'method':22}", *(f"{column:>10}" for column in columns))
    for name, layer in found["layers"].items():
        for kernels, method in layer["methods"].items():
            forward, their_forward = (layer["forward"][key][0] for key in (kernels, "PyTorch"))
            both, their_both = (layer["both"][key][0] for key in (kernels, "PyTorch"))
            speed = layer["operations"] / forward
            row = forward * 1e3, their_forward * 1e3, speed / 1e9, 100 * speed / found["peak"]
            row += both * 1e3, their_both * 1e3, their_both / both
            print(f"{name:7} {method:22}", *(f"{value:10.2f}" for value in row))
    for what in ("step", "inference"):
        for name, (median, least) in found[what].items():
            speed = found["operations"][what] / median
            print(
                f"{what:10} {name:20} median {median * 1e3:7.2f} ms, least {least * 1e3:7.2f} ms, "
                f"{speed / 1e9:5.0f} GFLOP/s, {100 * speed / found['peak']:4.0f}% of peak"
            )
        for kernels in ("fast", "direct"):
            print(f"{what:10} {kernels}: {ratio(found[what], kernels):.2f} times PyTorch's best")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--compile", action="store_true", help="let PyTorch compile too (needs a C++ compiler)"
    )
    parser.add_argument("--cpu", choices=["native", "avx2"], default="native", help="of both rivals")
    parser.add_argument("--json", help="write the ratios there")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--memory", choices=["ours", "pytorch"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure or options.memory:
        found = peak_memory(options.memory) if options.memory else measure(options.measure, options)
        print(json.dumps(found))
        return
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    summary = {}
    for threads in options.threads:
        extra = ["--compile"] if options.compile else []
        found = in_process(
            __file__, threads, options.cpu, "--measure", str(threads), "--rounds", str(options.rounds), *extra
        )
        show(threads, found)
        memory = {
            rival: in_process(__file__, threads, options.cpu, "--memory", rival)
            for rival in ("ours", "pytorch")
        }
        print(f"memory     ours {memory['ours'] / 1e6:.0f} MB, PyTorch {memory['pytorch'] / 1e6:.0f} MB")
        summary[str(threads)] = {
            "step_ratio": ratio(found["step"]),
            "infer_ratio": ratio(found["inference"]),
            "memory_ratio": memory["ours"] / memory["pytorch"],
            "direct_step_ratio": ratio(found["step"], "direct"),
        }
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"threads": summary}, file, indent=2)


if __name__ == "__main__":
    main()
