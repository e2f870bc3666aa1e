"""PyTorch's ranks find each other over gloo and add their numbers up."""

import os

import torch
import torch.distributed

rank, size = int(os.environ["OMPI_COMM_WORLD_RANK"]), int(os.environ["OMPI_COMM_WORLD_SIZE"])
torch.distributed.init_process_group("gloo", rank=rank, world_size=size)
total = torch.tensor([float(rank)])
torch.distributed.all_reduce(total)
print(f"{os.uname().nodename} total {total.item():g}\n", end="", flush=True)
torch.distributed.destroy_process_group()
