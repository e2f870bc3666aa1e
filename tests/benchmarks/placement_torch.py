"""A rank of one of PyTorch's ways to train on several hosts, until it is killed; started by placement.py.

DistributedDataParallel over gloo with buckets of several sizes, a static graph and a hook for bfloat16, and
pipelining, whose stages are blocks of the `paper` network in order. Rank 0 logs the seconds of each step. The
batch is in memory, shared out equally; nothing is read.
"""

import argparse
import json
import os
import time
from pathlib import Path

import torch
from step_ours import BATCH, paper_spec, random_batch
from step_pytorch import LAST, Flatten, Model
from torch import distributed, nn
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe
from torch.nn.parallel import DistributedDataParallel

WAYS = {
    "DDP": {},
    "DDP, buckets of 1 MB": {"bucket_cap_mb": 1},
    "DDP, static graph": {"static_graph": True},
    "DDP, static graph, buckets of 1 MB": {"static_graph": True, "bucket_cap_mb": 1},
    "DDP, bfloat16, static graph": {"static_graph": True, "half": True},
    "DDP, bfloat16, static graph, buckets of 1 MB": {"static_graph": True, "half": True, "bucket_cap_mb": 1},
}
PIPELINES = {
    "pipelining, GPipe, 4 micro-batches": (ScheduleGPipe, 4),
    "pipelining, 1F1B, 8 micro-batches": (Schedule1F1B, 8),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=[*WAYS, *PIPELINES], required=True)
    parser.add_argument("--log", type=Path, required=True, help="to which rank 0 writes a line a step")
    options = parser.parse_args()
    rank, size = (int(os.environ[f"OMPI_COMM_WORLD_{name}"]) for name in ("RANK", "SIZE"))
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=size)
    if options.way in PIPELINES:
        step = pipelined(rank, size, *PIPELINES[options.way])
    else:
        step = data_parallel(rank, size, **WAYS[options.way])
    with open(options.log if rank == 0 else os.devnull, "w", buffering=1) as log:
        while True:
            began = time.perf_counter()
            step()
            log.write(json.dumps({"kind": "step", "seconds": time.perf_counter() - began}) + "\n")


def tensors(spec, samples):
    patches, labels = random_batch(spec, samples)
    inputs = [torch.from_numpy(patches[name])[:, None].to(memory_format=LAST) for name in spec.modalities]
    return inputs, torch.from_numpy(labels)


def data_parallel(rank, size, half=False, **settings):
    """A step of DistributedDataParallel: every rank the whole network, with its share of the batch."""
    torch.manual_seed(0)
    spec = paper_spec()
    model = DistributedDataParallel(
        Model(spec, LAST).to(memory_format=LAST).train(), gradient_as_bucket_view=True, **settings
    )
    if half:
        model.register_comm_hook(size, halved)
    inputs, labels = tensors(spec, BATCH // size + (rank < BATCH % size))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(*inputs), labels).backward()
        optimizer.step()

    return step


def halved(size, bucket):
    """What PyTorch's own hook for bfloat16 does, which refuses gloo: the mean, sent in half as many bytes."""
    buffer = bucket.buffer().to(torch.bfloat16).div_(size)
    future = distributed.all_reduce(buffer, async_op=True).get_future()
    return future.then(lambda summed: bucket.buffer().copy_(summed.value()[0]))


class Packed(torch.autograd.Function):
    """The same values, in the order in which gloo sends; and so the gradient of them."""

    @staticmethod
    def forward(_, x):
        return x.contiguous()

    @staticmethod
    def backward(_, gradient):
        return gradient.contiguous()


class Stage(nn.Module):
    """Some layers of the heavy stream; what other stages need passes through."""

    def __init__(self, layers, first=False):
        super().__init__()
        self.layers, self.first = layers, first

    def forward(self, x, rgb):
        return Packed.apply(self.layers(Packed.apply(x))), rgb if not self.first else rgb.clone()


class Last(nn.Module):
    """The end of the heavy stream, the light stream, and the fusion."""

    def __init__(self, layers, model):
        super().__init__()
        self.layers, self.light, self.fusion = layers, model.streams[1], model.fusion

    def forward(self, x, rgb):
        return self.fusion(torch.cat([self.layers(Packed.apply(x)), self.light(rgb)], 1))


def pipelined(rank, size, schedule, micro_batches):
    """A step of a pipeline whose stages are runs of the hyperspectral stream's blocks."""
    torch.manual_seed(0)
    spec = paper_spec()
    # contiguous: what is sent between stages has that form
    model = Model(spec, torch.contiguous_format).train()
    layers = [layer for part in (*model.streams[0].blocks, model.streams[0].head) for layer in part]
    begins = [number for number, layer in enumerate(layers) if isinstance(layer, nn.Conv3d)]
    # of four stages the last has no convolution of this stream but the whole of the other
    head = next(number for number, layer in enumerate(layers) if isinstance(layer, Flatten))
    cuts = [0, *[*begins[1:], head][: size - 1], len(layers)]
    own = nn.Sequential(*layers[cuts[rank] : cuts[rank + 1]])
    module = Last(own, model) if rank == size - 1 else Stage(own, rank == 0)
    inputs, labels = tensors(spec, BATCH)
    inputs = [tensor.contiguous() for tensor in inputs]
    stage = PipelineStage(module, rank, size, torch.device("cpu"))
    player = schedule(stage, micro_batches, loss_fn=nn.functional.cross_entropy)
    optimizer = torch.optim.Adam(module.parameters(), 1e-3, fused=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        if rank == 0:
            player.step(*inputs)
        elif rank == size - 1:
            player.step(target=labels)
        else:
            player.step()
        optimizer.step()
        distributed.barrier()

    return step


if __name__ == "__main__":
    main()
