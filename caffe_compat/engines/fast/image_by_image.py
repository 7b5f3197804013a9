"""Consecutive steps that a thread runs for one image of the batch after the other.

What they write for each other is then of one image, and stays in a core's cache; and no thread waits for another one
between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.arena import arrange, lives_of
from caffe_compat.engines.fast.steps.step import Blobs, Row, Step
from caffe_compat.layers.kernels.addresses import FLOAT
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.scratch import apart
from caffe_compat.layers.kernels.step import STEP
from caffe_compat.layers.kernels.step_images import MOVE, image_by_image

LEAST = 2**12  # numbers of an image's bottoms and tops: with fewer, calls take as long as what they compute
MOST_PARAMS = 4  # for each of these numbers: more of them are read too often, once for each image


@dataclass(frozen=True)
class OneImage:
    """The rows of a step for one image.

    blobs: those of one image, each with the one that it stands for; params: those that rows point to.
    """

    rows: Sequence[Row]
    blobs: Sequence[tuple[Blob, Blob]]
    params: Sequence[Blob]

    @property
    def images(self) -> int:
        return self.blobs[0][1].num


def of_one_image(step: Step, bottoms: Blobs, tops: Blobs, threads: int) -> OneImage | None:
    """None where the step does better for all images at once, or knows no other way."""
    wholes = {id(blob): blob for blob in chain(*bottoms, *tops)}
    if not step.is_of_images(bottoms, tops) or not _pays(list(wholes.values()), step.params, threads):
        return None
    ones = {key: Blob((1, *blob.shape[1:]), blob.dtype) for key, blob in wholes.items()}
    bottoms, tops = ([[ones[id(blob)] for blob in of_layer] for of_layer in side] for side in (bottoms, tops))
    calls = step.rows(bottoms, tops, 1)
    rows = [call for call in calls or () if isinstance(call, Row)]
    if calls is None or len(rows) < len(calls):
        return None
    return OneImage(rows, [(one, wholes[key]) for key, one in ones.items()], step.pointed)


def _pays(blobs: Sequence[Blob], params: Sequence[Blob], threads: int) -> bool:
    images = {blob.num for blob in blobs}
    if len(images) > 1 or not _share_evenly(images.pop(), threads):
        return False
    numbers = sum(blob.count for blob in blobs) // blobs[0].num
    return numbers >= LEAST and sum(blob.count for blob in params) <= MOST_PARAMS * numbers


def _share_evenly(images: int, threads: int) -> bool:
    """Whether threads have about as many images each, of several."""
    return images > 1 and (images % threads == 0 or images >= 8 * threads)


class ImageByImage(Row):
    """The row that runs those of steps, for blobs that have their shapes.

    Each thread has rows of its own, and in its scratch memory theirs, then that for one image of the blobs that nothing
    else uses.
    """

    def __init__(self, steps: Sequence[OneImage], threads: int):
        super().__init__(np.zeros(1, STEP), [], [("function", image_by_image)])
        self._steps, self._threads = steps, threads
        self._rows = [row for step in steps for row in step.rows]
        self._wholes = {id(one): whole for step in steps for one, whole in step.blobs}
        self._params = {id(blob) for step in steps for blob in step.params}
        self.own: set[int] = set()  # ids of memories
        self.fields["parts"] = threads
        self.fields["images"], self.fields["depth"] = steps[0].images, len(self._rows)

    def uses(self) -> Iterator[Blob]:
        return (blob for blob in self._wholes.values() if id(blob.shared_data) not in self.own)

    def calls(self) -> Iterator[Callee]:
        return chain(super().calls(), *(row.calls() for row in self._rows))

    def link(self) -> None:
        super().link()
        for row in self._rows:
            row.link()
        self._table: Any = np.concatenate([row.fields for row in self._rows])

    def take(self, own: set[int]) -> None:
        """From now on nothing else uses the memories of these ids."""
        self.own, table = own, self._table
        table["scratch_size"] = [apart(int(count)) if count else 0 for count in table["scratch_size"]]
        self._shared = apart(int(table["scratch_size"].max()))
        begin = self._shared + apart(int(table["shared_size"].max()))
        lives = lives_of(
            (i, self._memory_of(blob), apart(blob.count))
            for i, row in enumerate(self._rows)
            for blob in row.uses()
            if self._stays(blob)
        )
        self.fields["scratch_size"] = begin + arrange(list(lives.values()))
        self._places = {key: begin + life.place for key, life in lives.items()}

    def place(self, address: Callable[[Blob], int]) -> None:
        self._tables = np.stack([self._table] * self._threads)
        moves = []
        for part, rows in enumerate(self._tables):
            begin = int(self.fields["scratch"][0] + FLOAT * part * self.fields["scratch_size"][0])
            rows["scratch"], rows["shared"] = begin, begin + FLOAT * self._shared
            places = {key: begin + FLOAT * place for key, place in self._places.items()}
            moves += self._address(rows, places, address)
        self._moves = np.array(moves, np.int64).reshape(self._threads, -1)
        self.fields["tile"], self.fields["offsets"] = self._tables.ctypes.data, self._moves.ctypes.data
        self.fields["panels"] = self._moves.shape[1] // MOVE

    def _memory_of(self, blob: Blob) -> int:
        return id(self._wholes.get(id(blob), blob).shared_data)

    def _stays(self, blob: Blob) -> bool:
        """Whether a thread has memory of its own for a blob: of `own`, or of one that a step holds."""
        if id(blob) in self._wholes:
            return self._memory_of(blob) in self.own
        return id(blob) not in self._params

    def _address(
        self, rows: Any, places: dict[int, int], address: Callable[[Blob], int]
    ) -> list[tuple[int, int, int]]:
        """Give a thread's rows the addresses of their blobs, by `places` those of its own; returns the moves of those
        that lie elsewhere for each image (see step_images.py)."""
        moves = []
        for i, row in enumerate(self._rows):
            for field, blob, offset in row.blobs:
                key, whole = self._memory_of(blob), self._wholes.get(id(blob))
                first = places[key] if key in places else address(whole or blob)
                rows[field][i] = first + FLOAT * offset
                if whole is not None and key not in places:
                    moves.append((rows[field][i:].ctypes.data, int(rows[field][i]), FLOAT * blob.count))
        return moves
