"""Makes minibatches ahead, in a background process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.layers.roi_data import Blobs, Source, State


class Prefetcher:
    """Serves what `source` would, bit for bit, made by a background process one minibatch ahead.

    Numpy's global random numbers stand after each `next` where the source itself would have left them; where
    somebody else draws from them in between, or sets a state, the minibatch made ahead is made anew from
    there. The process ends with `close`, with this object, and with its parent however that dies. Errors of
    the source are raised by the `next` whose minibatch they concern.

    Raises DataError where the process ends on its own.
    """

    def __init__(self, source: Source):
        here, there = Pipe()
        # Not multiprocessing's own: that would run the user's script once more, and asks for a guard in it
        start = (
            f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; "
            f"serve({there.fileno()}, {os.getpid()})"
        )
        self._process = subprocess.Popen([sys.executable, "-c", start], pass_fds=[there.fileno()])
        there.close()
        self._connection: Connection = here
        self.close = weakref.finalize(self, _end, self._process, here)
        self._state, self._random = source.get_state(), np.random.get_state()
        self._send(source)
        self._send((self._state, self._random))
        self._moved = False

    def next(self) -> Blobs:
        if self._moved or not _equal(self._random, np.random.get_state()):
            self._receive()
            self._send((self._state, np.random.get_state()))
            self._moved = False
        made, self._state, self._random = self._receive()
        self._send(None)
        np.random.set_state(self._random)
        if isinstance(made, Exception):
            raise made
        return made

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


def serve(handle: int, parent: int) -> None:
    """What the background process does: makes a minibatch for each request that comes over the connection.

    First comes the source; then requests: None to go on, or where to start from (the source's state and
    numpy's). Each is answered with the minibatch or the error, and both states behind it.
    """
    for name in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # go to all processes of a terminal or job; the parent decides
        signal.signal(name, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    cv2.setNumThreads(1)  # the other cores have a net to run
    connection = Connection(handle)
    try:
        source = connection.recv()
        while True:
            start = connection.recv()
            made: Blobs | Exception
            try:
                if start is not None:
                    source.set_state(start[0])
                    np.random.set_state(start[1])
                made = source.next()
            except Exception as error:
                made = error
            connection.send((made, source.get_state(), np.random.get_state()))
    except (EOFError, OSError):  # the parent has closed the connection, or is gone
        pass


def _die_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _end(process: subprocess.Popen, connection: Connection) -> None:
    connection.close()
    process.kill()
    process.wait()


def _equal(one: Any, other: Any) -> bool:
    """Whether two states of numpy's generator are the same."""
    return np.array_equal(one[1], other[1]) and one[2:] == other[2:]
