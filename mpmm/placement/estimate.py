"""Estimates for the search, by arithmetic alone: what a layout's step takes, and the memory of its ranks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from mpmm.messages import carrier
from mpmm.placement.candidates import Problem
from mpmm.placement.cores import slowdown
from mpmm.placement.layout import Layout
from mpmm.placement.machine import Host
from mpmm.placement.memory import held_bytes
from mpmm.placement.script import HUB_FROM
from mpmm.placement.shape import maker_of
from mpmm.placement.shares import Share, share_of
from mpmm.placement.simulator import threads_on

_Move = Callable[[int, int, float, float], None]


@dataclass(eq=False)
class Arithmetic:
    """Estimates of layouts for one problem; what takes time is remembered.

    Parameters
    ----------
    problem
        What a layout is searched for.
    """

    problem: Problem
    _seconds: dict[tuple[str, int, int], float] = field(default_factory=dict)

    def least(self, layout: Layout) -> float:
        """Seconds that a step takes at least: the work of its busiest rank or host."""
        machine, shape = self.problem.machine, self.problem.shape
        threads = threads_on(shape, layout, machine)
        used: dict[int, float] = {}
        most = 0.0
        for rank in layout.workers:
            number = machine.host_of[rank]
            wall = sum(self._work(layout, name, rank, threads[rank]) for name in layout.blocks_of(rank))
            used[number] = used.get(number, 0.0) + wall * threads[rank]
            most = max(most, wall / machine.hosts[number].speed)
        return max(most, *(work / machine.hosts[number].capacity for number, work in used.items()))

    def likely(self, layout: Layout) -> float:
        """Seconds that a step takes more or less: work with messages, bytes, waits for the batch's sums.

        Over a hundred layouts this is nearly the simulator's order, stops by a quota included.
        """
        return self._busiest(layout) + self._crossing(layout) + self._latency(layout)

    def _crossing(self, layout: Layout) -> float:
        """Seconds on the busiest links that ranks wait for.

        Of parameters one way counts, that of more bytes: the other is hidden by what ranks compute. Outputs
        and their gradients are waited for both ways.
        """
        hosts = self.problem.machine.hosts
        parameters = self._bytes(partial(self._move_parameters, layout))
        outputs = self._bytes(partial(self._move_outputs, layout))
        ways = (max(both) / hosts[host].rate for host, both in parameters.items())
        waits = (sum(both) / hosts[host].rate for host, both in outputs.items())
        return max(ways, default=0.0) + max(waits, default=0.0)

    def _busiest(self, layout: Layout) -> float:
        """Seconds of the busiest rank or host: its work, slowed by others, and its messages."""
        machine, threads = self.problem.machine, threads_on(self.problem.shape, layout, self.problem.machine)
        stop = self.problem.profile.stop
        crowded = self._crowded(layout, threads)
        used: dict[int, float] = {}
        most = 0.0
        for rank in layout.workers:
            number = machine.host_of[rank]
            work = sum(self._work(layout, name, rank, threads[rank]) for name in layout.blocks_of(rank))
            work *= crowded[number]
            alone = self._handling(layout, rank)
            used[number] = used.get(number, 0.0) + work * threads[rank] + alone
            most = max(most, (work + alone) / machine.hosts[number].speed)
        return max(most, *(work / _sustained(machine.hosts[number], stop) for number, work in used.items()))

    def _crowded(self, layout: Layout, threads: Sequence[int]) -> dict[int, float]:
        """By host, how much longer work takes because others of its machine compute, as often as they may."""
        machine, crowding = self.problem.machine, self.problem.profile.crowding
        running: dict[int, int] = {}
        for rank in layout.workers:
            running[machine.host_of[rank]] = running.get(machine.host_of[rank], 0) + threads[rank]
        slower: dict[int, float] = {}
        for hosts in machine.sharing:
            cores = machine.hosts[hosts[0]].cores
            busy = [host for host in hosts if host in running]
            load = {host: min(running[host], machine.hosts[host].core_seconds) for host in busy}
            for host in busy:
                own = min(running[host], cores)
                all_of_them = own + sum(load.values()) - load[host]
                slower[host] = slowdown(crowding, cores, all_of_them) / slowdown(crowding, cores, own)
        return slower

    def _handling(self, layout: Layout, rank: int) -> float:
        """Core seconds that a rank's messages take besides their bytes, and its step besides its layers."""
        profile = self.problem.profile
        messages = sums = 0
        for name, ranks in layout.owners:
            layers = self.problem.shape.by_name[name].layers
            moved = sum(layer.size > 0 for layer in layers)
            exchanges = 2 * sum(map(layout.waits_for_batch, layers)) * (len(ranks) > 1) * (rank in ranks)
            if rank in ranks or rank == layout.server:
                # of several shards one adds up for all: for the others it is a message each way
                peers = len(ranks) - 1 if len(ranks) < HUB_FROM else 1
                # gradients come layer by layer, new values go together
                parameters = moved + (moved > 0)
                messages += parameters * (ranks != (layout.server,)) + 2 * exchanges * peers
            sums += exchanges * (len(ranks) < HUB_FROM) + moved * (rank == layout.server)
            if layout.options.slices_from and rank in ranks and len(ranks) > 1:
                long = sum(layer.size >= layout.options.slices_from for layer in layers)
                messages += 4 * long * (len(ranks) - 1)
        return messages * self._message + sums * profile.arrays + profile.step

    @cached_property
    def _message(self) -> float:
        """Core seconds of a message between hosts at one of its ends, besides its bytes."""
        profile = self.problem.profile
        machine = profile.on_this(self.problem.machine)
        return machine.overhead + machine.wire_overhead + 2 * profile.instruction

    def _work(self, layout: Layout, block: str, rank: int, threads: int) -> float:
        """Seconds of a rank's share of a block, forward and backward."""
        problem = self.problem
        samples = share_of(layout, block, rank, problem.batch).count
        key = block, samples, threads
        if key not in self._seconds:
            self._seconds[key] = sum(
                problem.profile.seconds(layer, samples, threads, backward=way)
                for layer in problem.shape.by_name[block].layers
                for way in (False, True)
            )
        return self._seconds[key]

    def _latency(self, layout: Layout) -> float:
        """Seconds of the exchanges of sums between the shards of a block, forward and backward."""
        machine, shape = self.problem.machine, self.problem.shape
        seconds = 0.0
        for name, ranks in layout.owners:
            layers = sum(map(layout.waits_for_batch, shape.by_name[name].layers))
            if len({machine.host_of[rank] for rank in ranks}) > 1:
                stall = max(
                    (machine.hosts[machine.host_of[rank]] for rank in ranks), key=lambda host: host.quota > 0
                )
                seconds += 2 * layers * (machine.delay + (stall.period / 2 if stall.quota else 0.0))
        return seconds

    def _bytes(self, moves: Callable[[_Move], None]) -> dict[int, tuple[float, float]]:
        """By host, bytes that its interface sends and receives in a step."""
        moved: dict[int, list[float]] = {}
        host_of = self.problem.machine.host_of

        def move(source: int, target: int, size: float, back: float) -> None:
            """Count what goes from a rank to another, and back: gradients return what outputs brought."""
            if host_of[source] != host_of[target]:
                for rank, sent, received in ((source, size, back), (target, back, size)):
                    both = moved.setdefault(host_of[rank], [0.0, 0.0])
                    both[0] += sent
                    both[1] += received

        moves(move)
        return {host: (sent, received) for host, (sent, received) in moved.items()}

    def _move_parameters(self, layout: Layout, move: _Move) -> None:
        """Gradients go up a tree of the shards and on to the server, new values the same way down."""
        shape = self.problem.shape
        for name, ranks in layout.owners:
            size, gradients = shape.by_name[name].size * shape.itemsize, self._gradient_bytes(layout, name)
            if layout.options.slices_from and len(ranks) > 1:
                self._move_slices(layout, name, move)
                continue
            root = layout.server if layout.server in ranks else ranks[0]
            if not layout.owners_update:
                move(layout.server, root, size, gradients)
            others = [rank for rank in ranks if rank != root]
            for number, rank in enumerate(others):
                parent = root if number < math.ceil(math.log2(len(ranks))) else others[number // 2]
                # of groups that are no branch of the tree several sums of the gradients go up
                sums = len(share_of(layout, name, rank, self.problem.batch).sums)
                move(parent, rank, size, gradients * max(1, sums))

    def _move_slices(self, layout: Layout, name: str, move: _Move) -> None:
        """Each rank adds up a slice of a block's gradients, and gives the others its new values."""
        shape, ranks = self.problem.shape, layout.owner[name]
        others = [rank for rank in ranks if rank != layout.server]
        slice_size = shape.by_name[name].size * shape.itemsize / len(others)
        gradients = self._gradient_bytes(layout, name) / len(others)
        for rank in others:
            move(layout.server, rank, slice_size, gradients)
            for other in ranks:
                if other != rank:
                    sums = len(share_of(layout, name, other, self.problem.batch).sums)
                    given = slice_size if other != layout.server else 0.0
                    move(rank, other, given, gradients * max(1, sums))

    def _gradient_bytes(self, layout: Layout, name: str) -> float:
        """Of a block's gradients as they travel; those of batch normalisation are few."""
        shape = self.problem.shape
        return shape.by_name[name].size * carrier(layout.options.gradient_format(shape.dtype)).itemsize

    def _move_outputs(self, layout: Layout, move: _Move) -> None:
        """Outputs go from who makes their samples to who reads them."""
        shape = self.problem.shape
        itemsize = carrier(layout.options.output_format(shape.dtype)).itemsize
        for name, reader in shape.consumers.items():
            bytes_each = math.prod(shape.by_name[name].output_shape) * itemsize
            made, read = self._shares(layout, name), self._shares(layout, reader)
            for maker, own in made.items():
                for rank, other in read.items():
                    if maker != rank:
                        length = own.overlap(other).count * bytes_each
                        move(maker, rank, length, length)

    def _shares(self, layout: Layout, name: str) -> dict[int, Share]:
        made = maker_of(name)
        return {rank: share_of(layout, made, rank, self.problem.batch) for rank in layout.owner[made]}

    def fits(self, layout: Layout) -> bool:
        """Whether every host has the memory for its ranks' parameters and what a step keeps."""
        problem, hosts = self.problem, self.problem.machine.hosts
        held: dict[int, int] = {}
        for rank in {layout.server, *layout.workers}:
            host = problem.machine.host_of[rank]
            held[host] = held.get(host, 0) + held_bytes(problem.shape, layout, rank, problem.batch)
        return all(size <= hosts[host].memory for host, size in held.items())


def _sustained(host: Host, stop: float) -> float:
    """Seconds of the profile's work that a busy host does in a second; to stand still costs it some."""
    stops = host.quota and host.tick and stop / host.tick
    return host.capacity / (1 + stops)
