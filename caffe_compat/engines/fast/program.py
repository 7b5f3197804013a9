"""Program: consecutive layers run by one call of compiled code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import Any

import numba
import numpy as np

from caffe_compat.blob import Blob, data_places, data_stamps
from caffe_compat.engines.fast.arena import Life, arrange, lives_of
from caffe_compat.engines.fast.image_by_image import ImageByImage, of_one_image
from caffe_compat.engines.fast.steps.step import Blobs, Calls, Row, Step
from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.compile_together import compile_together
from caffe_compat.layers.kernels.run_steps import run_steps
from caffe_compat.layers.kernels.scratch import aligned, apart
from caffe_compat.layers.kernels.step import STEP
from caffe_compat.memory import check_memory

FEW = 2  # blobs that are made one by one when they are asked for after a run


@dataclass(frozen=True)
class Part:
    """A step, the blobs of its layers, and what shapes its tops and runs its layers one by one.

    hidden: blobs that the step does not write; hide: has them made when somebody asks for them, or, where it gets True,
    now.
    """

    step: Step
    bottoms: Blobs
    tops: Blobs
    reshape: Callable[[], None]
    forward: Callable[[], None]
    hidden: Sequence[Blob]
    hide: Callable[[bool], None]

    @property
    def blobs(self) -> Iterator[Blob]:
        return chain(*self.bottoms, *self.tops)


class Program:
    """The steps of some layers, which need nothing but the shapes and the memory of their blobs to stay as they are.

    passing: the blobs that only these layers write and read, of a net that runs no backward. They have no memory of
    their own, but share some, until somebody asks for one: it is made then, by another run, and from then on; all are
    for somebody who asks for several after a run.
    """

    def __init__(self, parts: Sequence[Part], passing: Sequence[Blob] = ()):
        self._parts, self._passing = parts, passing
        self._hiding = [part for part in parts if part.hidden]
        for blob in passing:
            blob.track(diff=False)
        self._wanted: set[int] = set()  # ids of memories
        self._asked = 0  # how many blobs were asked for since the layers ran
        self._threads, self._places = 0, data_places([])
        self._blobs: list[Blob] = []  # those that have memory of their own
        self._hidden: list[Blob] = []  # those that have none
        self._params: list[Blob] = []
        self._stamps: list[int] | None = None  # of the params that are loaded
        self._steps: list[Step] = []  # those that have rows
        self._by_image: list[ImageByImage] = []
        self._calls: list[tuple[int, int] | Callable[[], None]] = []
        self._table, self._memory = np.empty(0, STEP), np.empty(0, np.float32)

    @property
    def rows(self) -> int:
        """How many rows its table has."""
        return len(self._table)

    def run(self) -> None:
        """Run the layers forward."""
        self._asked = 0
        self._run()

    def _run(self) -> None:
        threads = numba.get_num_threads()
        if threads != self._threads or data_places(self._blobs) != self._places:
            self._build(threads)
        if self._stamps is None or data_stamps(self._params) != self._stamps:
            self._load()
        for call in self._calls:
            if callable(call):
                call()
            else:
                run_steps(self._table, *call)
        self._hide()

    def _load(self) -> None:
        """Bring the params that somebody may have written into the form that the rows point to."""
        for step in self._steps:
            step.refresh()
        held = any(blob.data_is_held for blob in self._params)
        self._stamps = None if held else data_stamps(self._params)

    def _hide(self) -> None:
        """Let blobs that were not made be made when somebody asks for them; or now, where somebody holds one."""
        asked = [blob for blob in self._hidden if blob.pending_data is None]  # since the last pass
        held = [blob for blob in asked if blob.data_is_held]
        if held:
            self._make(held)
            return
        for blob in asked:
            blob.defer_data(partial(self._fill, blob), wait=True)
        for part in self._hiding:
            if any(blob.pending_data is None for blob in part.hidden):
                part.hide(any(blob.data_is_held for blob in part.hidden))

    def _fill(self, blob: Blob, array: np.ndarray) -> None:
        """Make a blob that somebody asks for; all of them for somebody who seems to want them all."""
        self._asked += 1
        self._make([blob] if self._asked <= FEW else self._hidden)

    def _make(self, blobs: Sequence[Blob]) -> None:
        self._wanted |= {id(blob.shared_data) for blob in blobs}
        self._threads = 0
        self._run()

    # ---- building ---------------------------------------------------------------------------------------------
    def _build(self, threads: int) -> None:
        rows: list[Row] = []
        owners: list[int] = []  # the unit of each row
        self._calls, self._steps, self._by_image = [], [], []
        real: set[int] = set()
        users: Counter[int] = Counter()  # of each memory, by id: units that have rows
        for number, (parts, calls) in enumerate(self._units(threads)):
            memories = {id(blob.shared_data) for part in parts for blob in part.blobs}
            if calls is None or any(callable(call) for call in calls):
                real |= memories
            if calls is not None:
                self._steps += [part.step for part in parts]
            for call in [part.forward for part in parts] if calls is None else calls:
                self._add(call, rows)
            users.update(memories if len(rows) > len(owners) else ())
            owners += [number] * (len(rows) - len(owners))
        compile_together(chain.from_iterable(row.calls() for row in rows), threads)
        for row in rows:
            row.link()
        self._params, self._stamps = list(chain.from_iterable(step.params for step in self._steps)), None
        shareable = self._shareable(real)
        for images in self._by_image:
            mine = {id(blob.shared_data) for blob in images.uses()} & shareable
            images.take({key for key in mine if users[key] == 1})
        uses = (
            (owner, id(blob.shared_data), apart(blob.count))
            for row, owner in zip(rows, owners, strict=True)
            for blob in row.uses()
        )
        self._place(rows, lives_of(use for use in uses if use[1] in shareable))
        self._threads, self._places = threads, data_places(self._blobs)

    def _units(self, threads: int) -> Iterator[tuple[Sequence[Part], Calls | None]]:
        """Parts that run at once, and what they run."""
        found = ((part, of_one_image(part.step, part.bottoms, part.tops, threads)) for part in self._shaped())
        for _, group in groupby(found, key=lambda pair: pair[1] and pair[1].images):
            parts, ones = zip(*group, strict=True)
            if sum(bool(one and one.rows) for one in ones) > 1:
                self._by_image.append(ImageByImage(ones, threads))
                yield parts, self._by_image[-1:]
                continue
            for part in parts:
                part.step.forget()
                yield [part], part.step.rows(part.bottoms, part.tops, threads)

    def _shaped(self) -> Iterator[Part]:
        """The parts that write anything, with blobs that have their shapes, and share memory where they do."""
        for part in self._parts:
            part.reshape()
            for blob in chain(*part.tops):
                blob.defer_data(None)
            part.step.forget()
            part.step.share(part.bottoms, part.tops)
            if any(top.count for top in chain(*part.tops)):  # else the other dims may be large
                yield part

    def _add(self, call: Row | Callable[[], None], rows: list[Row]) -> None:
        """Add a row or a function; rows one behind the other run at once."""
        if callable(call):
            self._calls.append(call)
            return
        if self._calls and isinstance(self._calls[-1], tuple):
            self._calls[-1] = self._calls[-1][0], len(rows) + 1
        else:
            self._calls.append((len(rows), len(rows) + 1))
        rows.append(call)

    def _shareable(self, real: set[int]) -> set[int]:
        """The memories, by id, that have no need to be there for anybody but these parts; real: those that have."""
        mine = {id(blob) for blob in self._passing}
        others = (blob for part in self._parts for blob in part.blobs if id(blob) not in mine)
        held = (blob for blob in self._passing if blob.data_is_held)
        kept = real | self._wanted | {id(blob.shared_data) for blob in chain(others, held)}
        return {id(blob.shared_data) for blob in self._passing} - kept

    def _place(self, rows: Sequence[Row], lives: dict[int, Life]) -> None:
        """Make the table of the rows, with the addresses of their blobs, and memory that they use one after the
        other."""
        table: Any = np.concatenate([np.empty(0, STEP), *(row.fields for row in rows)])
        begin, scratch = self._take_memory(table, arrange(list(lives.values())))

        def address(blob: Blob) -> int:
            life = lives.get(id(blob.shared_data))
            return blob.data.ctypes.data if life is None else begin + FLOAT * (scratch + life.place)

        for i, row in enumerate(rows):
            row.fields = table[i : i + 1]
            row.place(address)
        self._table = table
        every = {id(blob): blob for part in self._parts for blob in (*part.blobs, *part.step.pointed)}
        left_out = {id(blob) for part in self._parts for blob in part.hidden}
        without = set(lives).union(*(images.own for images in self._by_image))
        hidden = {key: blob for key, blob in every.items() if id(blob.shared_data) in without}
        self._hidden = list(hidden.values())
        self._blobs = [blob for key, blob in every.items() if key not in hidden and key not in left_out]

    def _take_memory(self, table: Any, size: int) -> tuple[int, int]:
        """Take memory for `size` numbers behind what rows use one after the other; returns its address, and where the
        numbers begin."""
        table["scratch_size"] = [apart(int(count)) if count else 0 for count in table["scratch_size"]]
        own, shared = table["scratch_size"] * table["parts"], table["shared_size"]
        both = int(own.max(initial=0)), apart(int(shared.max(initial=0)))
        check_memory(FLOAT * (sum(both) + size), "what the layers write")
        self._memory = aligned(sum(both) + size)
        begin = self._memory.ctypes.data
        table["scratch"] = np.where(own > 0, begin, 0)
        table["shared"] = np.where(shared > 0, begin + FLOAT * both[0], 0)
        return begin, sum(both)
