"""The training step of two processes of one thread at the same time beside one alone; run by hand.

    python tests/benchmarks/side_by_side.py [--seconds 5] [--rounds 5]

Each round runs one process alone, then two together, on a machine of at least two cores of which nothing else
uses any. Each counts the steps of the `paper` network (batch 40) that it finishes after all are ready.
"""

import argparse
import multiprocessing
import statistics
import time


def steps_a_second(seconds, ready, found):
    """Train one thread for so long; puts its steps a second."""
    from mpmm_kernels.runtime import set_threads
    from step_ours import Ours, paper_spec

    set_threads(1)
    ours = Ours(paper_spec())
    ours.train()
    ready.wait()
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        ours.train()
        steps += 1
    found.put(steps / (time.perf_counter() - began))


def together(count, seconds):
    """Steps a second of each of ``count`` processes at the same time."""
    context = multiprocessing.get_context("spawn")
    ready, found = context.Barrier(count), context.Queue()
    processes = [context.Process(target=steps_a_second, args=(seconds, ready, found)) for _ in range(count)]
    for process in processes:
        process.start()
    rates = [found.get() for _ in processes]
    for process in processes:
        process.join()
    return rates


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    alone, slower, faster = [], [], []
    for _ in range(options.rounds):
        alone += together(1, options.seconds)
        least, most = sorted(together(2, options.seconds))
        slower.append(least)
        faster.append(most)
    one, least, most = (statistics.median(rates) for rates in (alone, slower, faster))
    print(f"one thread alone        {one:6.2f} steps/s")
    print(f"two, the slower         {least:6.2f} steps/s, {least / one:.2f} of one alone")
    print(f"two, the faster         {most:6.2f} steps/s, {most / one:.2f} of one alone")


if __name__ == "__main__":
    main()
