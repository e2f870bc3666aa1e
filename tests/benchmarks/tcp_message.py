"""What TCP alone takes of a core for a message between two hosts of a virtual cluster, without MPI or mpmm.

    launch/virtual-cluster up 2 --rate 1gbit --cpu 35%
    launch/virtual-cluster run -np 2 .venv/bin/python tests/benchmarks/tcp_message.py

Two ranks hand a message to and fro, a pause between: the kernel's time of one call to send it, and of those
that wait for it and take it. The least that any engine pays for a message of that length.
"""

import os
import select
import socket
import time
from statistics import median

LENGTHS = (512, 4096, 46_080)
ROUNDS, PORT = 200, 29_501
# between two messages, as a rank computes between its own
PAUSE = 2e-3


def main():
    rank = int(os.environ["OMPI_COMM_WORLD_RANK"])
    address = os.environ["MASTER_ADDR"], PORT
    with listening(address) if rank == 0 else connecting(address) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for length in LENGTHS:
            sent, received = exchange(peer, rank, length)
            if rank == 0:
                print(f"{length:6} bytes: send {1e6 * sent:.0f} us, receive {1e6 * received:.0f} us")


def exchange(peer, rank, length):
    """Median CPU seconds of a send and of a receive."""
    buffer, sends, receives = bytearray(length), [], []
    for _ in range(ROUNDS):
        for sender in (0, 1):
            began = time.thread_time()
            if sender == rank:
                peer.sendall(buffer)
                sends.append(time.thread_time() - began)
                time.sleep(PAUSE)
            else:
                take(peer, memoryview(buffer))
                receives.append(time.thread_time() - began)
    return median(sends), median(receives)


def take(peer, view):
    """Sleep until something has come, and take what there is, until all is here."""
    while len(view):
        select.select([peer], (), ())
        view = view[peer.recv_into(view) :]


def listening(address):
    with socket.create_server(address) as server:
        return server.accept()[0]


def connecting(address):
    until = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(address)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    main()
