"""The processes that share the work of one command out: this one alone, or all that torchrun has started."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeVar

from caffe_compat.errors import CaffeCompatError

T = TypeVar("T")


class WorkerLost(CaffeCompatError):  # noqa: N818
    """Another worker no longer answers."""


class Group:
    """All workers of a command; this class is the group of one. engines/torch/group.py has that of several.

    Attributes:
        rank          of this worker, from 0
        count         how many there are
        photos_read   how many photos this one has read; who reads them counts them here
    """

    rank, count = 0, 1
    photos_read = 0

    def gather(self, mine: T) -> list[T]:
        """What all workers give, by rank. Raises WorkerLost where one does not answer."""
        return [mine]

    def is_first_to_end(self) -> bool:
        """Whether this is the first worker to ask: of several that end for the same reason, it says so."""
        return True

    def close(self) -> None:
        """Wait for all workers, and leave the group. Raises WorkerLost."""

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """The items that this worker has to do: of each `count` one."""
        return items[self.rank :: self.count]

    def in_order(self, mine: Sequence[T]) -> list[T]:
        """What all workers have made of their shares, in the order of the items. Raises WorkerLost."""
        parts = self.gather(mine)
        result: list[Any] = [None] * sum(map(len, parts))
        for rank, part in enumerate(parts):
            result[rank :: self.count] = part
        return result


def are_several() -> bool:
    """Whether torchrun has started several workers, of which this is one."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def read_by_each(counts: Sequence[int]) -> str:
    """How many images each worker has read, by rank, as text."""
    return "Images read: " + ", ".join(f"{n} by worker {rank}" for rank, n in enumerate(counts))
