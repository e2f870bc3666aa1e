"""CPU time of a step by rank, as predicted and as used by ranks on this machine; run by hand.

    python tests/benchmarks/placement_cpu.py [--steps 24]

Trains the `paper` network by ranks in shared memory, a thread each, and notes the CPU time of each: of
layers, and of all else that its schedule asks for (messages, waits, updates, sums, Python). Other programs
slow both alike, by the factor that is shown; so it can be compared on a busy machine, where the length of
steps says little.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from layouts import configured
from mpi_runner import run_ranks
from step_ours import BATCH, paper_spec

from mpmm.commands import main as mpmm
from mpmm.placement import Profile, describe, layout_for, one_host, simulate
from mpmm.ranks import player, profile_of
from mpmm.ranks.block_runner import BlockRunner

HSI = [f"hsi.block{number}" for number in (1, 2, 3)]
HAND = {**{name: [0, 1, 2, 3] for name in HSI}, "hsi.head": 0, "rgb": 0, "fusion": 0}
CASES = [("single", 1, None), ("hybrid", 3, None), ("by hand", 4, HAND)]
# steps that load, or fill what flows between ranks; steps of a simulation
SKIPPED, PLAYED = 4, 8
OUT = "MPMM_CPU_OUT"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=24)
    options = parser.parse_args()
    shape, profile = describe(paper_spec()), profile_of(paper_spec(), BATCH, (1,))
    print("| layout | rank | layers ms | predicted | slower by | all else ms | predicted, as much slower |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, ranks, blocks in CASES:
        layout = layout_for(shape, ranks, None if blocks else name, blocks)
        # a core for each rank: how cores are shared changes no CPU time
        played = simulate(shape, layout, BATCH, profile, one_host(ranks, ranks), PLAYED)
        for rank, (layers, rest) in enumerate(used(name, ranks, blocks, options.steps)):
            expected, beside = predicted(played, rank)
            slower = layers / expected
            print(
                f"| {name} | {rank} | {1e3 * layers:.1f} | {1e3 * expected:.1f} | {slower:.2f} | "
                f"{1e3 * rest:.1f} | {1e3 * beside * slower:.1f} |",
                flush=True,
            )


def predicted(played, rank):
    """CPU seconds of a rank's step by its thread that plays the schedule: layers, all else."""
    kinds = {"Forward", "Backward", "Measure", "Loss"}
    named = [(type(span.instruction).__name__, span.cpu) for span in played.spans[rank]]
    layers = sum(cpu for name, cpu in named if name in kinds)
    # a reader's time counts with the instruction that asks for its patches
    other = sum(cpu for name, cpu in named if name not in {*kinds, "LoadPatches"})
    return layers / PLAYED, other / PLAYED - Profile().step


def used(name, ranks, blocks, steps):
    """CPU seconds of each rank's steps in the mean: layers, all else."""
    with tempfile.TemporaryDirectory() as folder:
        config = configured(Path(folder), "fast")
        words = [] if blocks else ["--layout", name]
        if blocks:
            rows = "".join(f'"{block}" = {taken}\n' for block, taken in blocks.items())
            config.write_text(f"{config.read_text()}\n[layout.ranks]\n{rows}")
        command = [str(Path(__file__)), "train", str(config), "--run", f"{folder}/run", "--steps", str(steps)]
        ended = run_ranks(ranks, [*command, *words], 300, **{OUT: folder})
        assert ended.code == 0, ended.err[-2000:]
        rows = [json.loads(Path(folder, f"cpu-{rank}.json").read_text()) for rank in range(ranks)]
    return [tuple(map(mean, zip(*row[SKIPPED:], strict=True))) for row in rows]


def watched(folder):
    """Train as the command line says, and write what each step of this rank took."""
    rows, layers = [], [0.0]

    def timed(call, *arguments, **named):
        """A layer's call, and its CPU time."""
        began = time.thread_time()
        try:
            return call(*arguments, **named)
        finally:
            layers[0] += time.thread_time() - began

    for name in ("forward", "backward", "measure", "measure_gradient", "measure_loss"):
        call = getattr(BlockRunner, name)
        setattr(BlockRunner, name, lambda *arguments, _call=call, **named: timed(_call, *arguments, **named))
    play = player.Player.play

    def noted(self, instructions, batch=None, step=player.EVALUATION):
        """Play a schedule; of a training step its CPU time is kept."""
        began, before = time.thread_time(), layers[0]
        play(self, instructions, batch, step)
        if step.training:
            own = layers[0] - before
            rows.append((own, time.thread_time() - began - own))
            Path(folder, f"cpu-{self.channel.rank}.json").write_text(json.dumps(rows))

    player.Player.play = noted
    mpmm()


if __name__ == "__main__":
    watched(os.environ[OUT]) if OUT in os.environ else main()
