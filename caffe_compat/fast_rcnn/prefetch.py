"""Makes minibatches in advance, in a background process."""

from __future__ import annotations

import math
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Sequence
from itertools import cycle
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.layers.fast_rcnn.minibatches import Blobs, Source, State


class Prefetcher:
    """Serves what `source` would serve, bit for bit; a background process makes each minibatch one call in advance.

    After each `next`, numpy's global random state is the one that the source itself would have left. If that state or
    this object's has changed by the next call, the minibatch made in advance is dropped and made again from the new
    state. An error of the source is raised by the `next` whose minibatch it concerns. The process ends with `close`,
    with this object, or with its parent, however that ends. Minibatches lie in memory that both processes share
    (Linux's memfd); their arrays are read-only, and valid until the next call.

    Raises DataError where the process ends by itself.
    """

    def __init__(self, source: Source):
        here, there = Pipe()
        # two, as one minibatch is read while the other is written; handles have the same numbers in both processes
        self._memory = [os.memfd_create("minibatch") for _ in range(2)]
        handles = [there.fileno(), *self._memory]
        # not a multiprocessing.Process, which would run the user's script again unless that has a __main__ guard
        start = (
            f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; "
            f"serve({handles}, {os.getpid()})"
        )
        self._process = subprocess.Popen([sys.executable, "-c", start], pass_fds=handles)
        there.close()
        self._connection: Connection = here
        self.close = weakref.finalize(self, _end, self._process, here, self._memory)
        self._state, self._random = source.get_state(), np.random.get_state()
        self._send(source)
        self._part: tuple[int, int] | None = None
        self._send((self._state, self._random, self._part))
        self._moved = False

    def next(self) -> Blobs:
        if self._moved or not _equal(self._random, np.random.get_state()):
            self._receive()
            self._send((self._state, np.random.get_state(), self._part))
            self._moved = False
        made, self._state, self._random = self._receive()
        self._send(None)
        np.random.set_state(self._random)
        if isinstance(made, Exception):
            raise made
        return _read(*made)

    def share_out(self, rank: int, count: int) -> None:
        """See Source. What was made in advance is made again."""
        self._part, self._moved = (rank, count), True

    def get_state(self) -> State:
        return self._state

    def set_state(self, state: State) -> None:
        self._state, self._moved = state, True

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise self._gone() from error

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (OSError, EOFError) as error:
            raise self._gone() from error

    def _gone(self) -> DataError:
        code = self._process.wait()
        return DataError(
            f"the background process that makes minibatches has ended with code {code}; look above for its message, "
            "or set TRAIN.USE_PREFETCH to false"
        )


def serve(handles: Sequence[int], parent: int) -> None:
    """Run in the background process: make a minibatch for each request that comes over the connection.

    handles: of the connection, then of the memories that hold minibatches in turn. parent: the id of the process that
    asks. The source comes first, then the requests: None to go on, or the states of the source and of numpy to start
    from, and the part that it serves (rank and count; None: all). The answer to each is where the minibatch lies, or
    the error, and both states after it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # all processes of a job get them; the parent decides
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    cv2.setNumThreads(1)  # the other cores have a net to run
    connection, memories = Connection(handles[0]), cycle(handles[1:])
    try:
        source = connection.recv()
        while True:
            start = connection.recv()
            made: tuple[int, _Places] | Exception
            try:
                if start is not None:
                    source.set_state(start[0])
                    np.random.set_state(start[1])
                    if start[2]:
                        source.share_out(*start[2])
                memory = next(memories)
                made = memory, _write(memory, source.next())
            except Exception as error:
                made = error
            connection.send((made, source.get_state(), np.random.get_state()))
    except (EOFError, OSError):  # the parent has closed the connection, or is gone
        pass


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


_Places = dict[str, tuple[str, tuple[int, ...], int]]  # name -> dtype, shape, where it begins


def _write(memory: int, blobs: Blobs) -> _Places:
    places: _Places = {}
    with open(memory, "r+b", closefd=False) as file:
        file.seek(0)
        for name, array in blobs.items():
            places[name] = array.dtype.str, array.shape, file.tell()
            file.write(np.ascontiguousarray(array).data)
    return places


def _read(memory: int, places: _Places) -> Blobs:
    pages = mmap.mmap(memory, 0, access=mmap.ACCESS_READ)
    return {
        name: np.frombuffer(pages, dtype, math.prod(shape), offset).reshape(shape)
        for name, (dtype, shape, offset) in places.items()
    }


def _end(process: subprocess.Popen, connection: Connection, memory: Sequence[int]) -> None:
    connection.close()
    for handle in memory:
        os.close(handle)
    process.kill()
    process.wait()


def _equal(one: Any, other: Any) -> bool:
    """Whether two states of numpy's generator are the same."""
    return np.array_equal(one[1], other[1]) and one[2:] == other[2:]
