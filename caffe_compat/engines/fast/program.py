"""Program: consecutive layers run by one call of compiled code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.base import Blobs, Step
from caffe_compat.layers.kernels.run_steps import run_steps
from caffe_compat.layers.kernels.step import STEP


@dataclass(frozen=True)
class Part:
    """A step, the blobs of its layers, and what shapes its tops and runs its layers one by one."""

    step: Step
    bottoms: Blobs
    tops: Blobs
    reshape: Callable[[], None]
    forward: Callable[[], None]


class Program:
    """The steps of some layers, which need nothing but the shapes and the memory of their blobs to stay as they are.

    hidden: blobs that no step writes.
    """

    def __init__(self, parts: Sequence[Part], hidden: Sequence[Blob]):
        self._parts = parts
        every = {
            id(blob): blob for part in parts for blob in chain(*part.bottoms, *part.tops, part.step.pointed)
        }
        self._hidden = {id(blob) for blob in hidden}
        self._blobs = [blob for blob in every.values() if id(blob) not in self._hidden]
        self._places: list[object] = []
        self._steps: list[Step] = []  # those that have rows
        self._calls: list[tuple[int, int] | Callable[[], None]] = []
        self._table, self._scratch = np.empty(0, STEP), np.empty(0, np.float32)

    def run(self) -> None:
        """Run the layers forward."""
        threads = numba.get_num_threads()
        if self._places != [threads, *(blob.data_place for blob in self._blobs)]:
            self._build(threads)
        for step in self._steps:
            step.refresh()
        for call in self._calls:
            if callable(call):
                call()
            else:
                run_steps(self._table, *call)

    def _build(self, threads: int) -> None:
        rows: list[np.ndarray] = []
        self._calls, self._steps = [], []
        for part in self._parts:
            part.reshape()
            for blob in chain(*part.tops):
                blob.defer_data(None)
            for blob in chain(*part.bottoms, *part.tops):
                if id(blob) not in self._hidden:
                    _ = blob.data  # it has its memory from now on
            part.step.forget()
            calls = part.step.rows(part.bottoms, part.tops, threads)
            if calls is not None:
                self._steps.append(part.step)
            for call in [part.forward] if calls is None else calls:
                self._add(call, rows)
        self._table = np.concatenate([np.empty(0, STEP), *rows])
        self._add_scratch()
        self._places = [threads, *(blob.data_place for blob in self._blobs)]

    def _add(self, call: np.ndarray | Callable[[], None], rows: list[np.ndarray]) -> None:
        """Add a row or a function; rows one behind the other run at once."""
        if callable(call):
            self._calls.append(call)
            return
        if self._calls and isinstance(self._calls[-1], tuple):
            self._calls[-1] = self._calls[-1][0], len(rows) + 1
        else:
            self._calls.append((len(rows), len(rows) + 1))
        rows.append(call)

    def _add_scratch(self) -> None:
        """Memory that the rows use one after the other."""
        table: Any = self._table
        sizes = table["scratch_size"] * table["parts"]
        self._scratch = np.empty(int(sizes.max(initial=0)), np.float32)
        table["scratch"] = np.where(sizes > 0, self._scratch.ctypes.data, 0)
