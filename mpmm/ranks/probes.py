"""What a core takes for updates, copies, patches, Python and TCP, beside busy cores, and after a pause."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable

import numpy as np
from mpmm_kernels.patches import gather_patches
from numpy.typing import NDArray

from mpmm.network import Adam, Parameter

# times that parameters are updated, bytes are copied and calls are made
_TURNS = 4
# patches of a probe, pixels of their sides, and the scene that they are cut from: rows, columns, bands
_CUT, _SIDE, _SCENE = 40, 25, (200, 200, 48)
# The costs of instructions and messages were fitted on a machine where these calls of NumPy and messages over
# loopback were never timed. Ranks start there in 1.9 times the time of one on which a call takes 0.26 us, and
# TCP between two hosts takes seven times that of one on which a message takes 7 us, both ends.
_CALLS, _FITTED_CALL = 2000, 0.49e-6
_MESSAGE, _MESSAGES, _FITTED_MESSAGE = 4096, 200, 50e-6
# parameters and bytes that no cache holds: a step comes back to its parameters after everything else
_UPDATED = 4_000_000
_COPIED = 64_000_000
# products of matrices of this order in a probe, probes and rounds by which crowding is found
_ORDER, _PRODUCTS, _PROBES, _ROUNDS = 160, 8, 9, 6
# what a stop costs: matrices that fill the second cache, and seconds and number of the pauses
_LARGE, _MATRICES, _PAUSE, _STOPS = 256, 4, 0.008, 24
# bytes that fill any second cache with something else
_OTHERS = 16_000_000


def updates_a_second() -> float:
    """Parameters a second that one thread updates, none of them in a cache."""
    parameter = Parameter.trained("measured", np.zeros(_UPDATED, np.float32))
    return _UPDATED / _best(lambda: Adam().update(parameter, 1))


def bytes_a_second() -> float:
    """Bytes a second that one thread copies, none of them in a cache."""
    source, target = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    return _COPIED / _best(lambda: np.copyto(target, source))


def bytes_cut_a_second() -> float:
    """Bytes of patches of many bands a second that one thread cuts, as a rank's reader does."""
    rows, columns, bands = _SCENE
    values = np.zeros(_SCENE, np.float32)
    values.flags.writeable = False
    steps = np.arange(_CUT)
    centres = np.stack(
        [_SIDE + 7 * steps % (rows - 2 * _SIDE), _SIDE + 11 * steps % (columns - 2 * _SIDE)], 1
    )
    codes, linear = (steps % 8).astype(np.uint8), np.ones((2, bands), np.float32)
    patches = np.zeros((_CUT, bands, _SIDE, _SIDE), np.float32)
    return patches.nbytes / _best(
        lambda: gather_patches(values, centres.astype(np.int32), codes, linear, patches)
    )


def python_share() -> float:
    """What small calls take of this thread, as a multiple of where instructions' costs were fitted."""
    array = np.zeros(16, np.float32)

    def call() -> None:
        """What an instruction consists of besides its kernel: views, and calls of little work."""
        for _ in range(_CALLS // 2):
            np.add(array, array, out=array)
            array.reshape(4, 4)[1:]

    return _best(call) / _CALLS / _FITTED_CALL


def tcp_share() -> float:
    """What a message over loopback takes of this thread, both ends, as a multiple of where TCP was fitted.

    1 where there is no loopback.
    """
    message, into, seconds = bytes(_MESSAGE), bytearray(_MESSAGE), []
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as sender,
            server.accept()[0] as receiver,
        ):
            for _ in range(_MESSAGES):
                began = time.thread_time()
                sender.sendall(message)
                received = 0
                while received < _MESSAGE:
                    received += receiver.recv_into(into)
                seconds.append(time.thread_time() - began)
    except OSError:
        return 1.0
    return statistics.median(seconds) / _FITTED_MESSAGE


def crowding_of(cores: int) -> float:
    """What a product of matrices takes while all of so many cores compute, in times of what it takes alone.

    The fastest of rounds in turn, by this thread's time: what slows the processor for a while does not count.
    """
    busy, ended = threading.Event(), threading.Event()
    others = [threading.Thread(target=_multiply, args=(busy, ended), daemon=True) for _ in range(cores - 1)]
    alone, beside = [], []
    try:
        for other in others:
            other.start()
        for _ in range(_ROUNDS if others else 0):
            busy.clear()
            alone.append(_product_seconds())
            busy.set()
            beside.append(_product_seconds())
    finally:
        ended.set()
        busy.set()
        for other in others:
            other.join()
    return max(1.0, min(beside) / min(alone)) if others else 1.0


def _product_seconds() -> float:
    """Of some probes the middle one: the first may meet the other threads as they start or end."""
    matrices = [np.ones((_ORDER, _ORDER), np.float32)] * _PRODUCTS
    return statistics.median(_seconds_of(matrices) for _ in range(_PROBES))


def _multiply(busy: threading.Event, ended: threading.Event) -> None:
    matrix = np.ones((_ORDER, _ORDER), np.float32)
    while not ended.is_set():
        busy.wait()
        matrix @ matrix


def stop_seconds() -> float:
    """Core seconds that products of matrices take longer after a pause as long as a quota's than without one.

    Lower quartiles of turns with and without, by this thread's time: what slows the processor for a while
    does not count.
    """
    return _longer_after(lambda: time.sleep(_PAUSE))


def switch_seconds() -> float:
    """Core seconds that products of matrices take longer after a copy that has filled the second cache.

    So it is after another program's turn on the core. Lower quartiles, as in `stop_seconds`.
    """
    source, target = np.ones(_OTHERS // 4, np.float32), np.zeros(_OTHERS // 4, np.float32)
    return _longer_after(lambda: np.copyto(target, source))


def _longer_after(disturb: Callable[[], None]) -> float:
    """This thread's seconds that products take longer just after a disturbance than once more behind it."""
    matrices = [np.ones((_LARGE, _LARGE), np.float32) for _ in range(_MATRICES)]
    after, without = [], []
    for _ in range(_STOPS):
        disturb()
        after.append(_seconds_of(matrices))
        without.append(_seconds_of(matrices))
    fast, slow = (statistics.quantiles(seconds, n=4)[0] for seconds in (without, after))
    return max(0.0, slow - fast)


def _seconds_of(matrices: list[NDArray[np.float32]]) -> float:
    """This thread's time for the products of all with the first."""
    began = time.thread_time()
    for matrix in matrices:
        matrix @ matrices[0]
    return time.thread_time() - began


def _best(run: Callable[[], object]) -> float:
    """This thread's seconds for the fastest of some turns; the first loads what is needed."""
    seconds = []
    for _ in range(_TURNS):
        began = time.thread_time()
        run()
        seconds.append(time.thread_time() - began)
    return min(seconds)
