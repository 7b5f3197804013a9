"""Serves minibatches of a roidb: in random order for training, in the roidb's order for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.classes import option
from caffe_compat.fast_rcnn.entries import RoidbEntry
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.minibatch import Blobs, draw, minibatch
from caffe_compat.fast_rcnn.prefetch import Prefetcher
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.layers.common.order import is_order
from caffe_compat.layers.fast_rcnn.minibatches import Source, State


def minibatches(roidb: Roidb, num_classes: int) -> Source:
    """A source of minibatches in random order, for a net of that many classes; with USE_PREFETCH made in advance."""
    source = RoidbSource(roidb, num_classes)
    return Prefetcher(source) if roidb.cfg.TRAIN.USE_PREFETCH else source


class RoidbSource:
    """Minibatches of IMS_PER_BATCH entries, in an order that is shuffled at the beginning and after each epoch.

    With ASPECT_GROUPING, pairs of landscape images and pairs of upright ones stay together. As in the reference, the
    images at the end of an order are not served: those that fill no minibatch, or those that fill exactly the last one.
    Shuffles and samples draw from numpy's global RandomState in the reference's order; `get_state` and `set_state`,
    together with the state of that, resume bit for bit.

    Raises DataError, which names the files, where a photo cannot be read or gives no minibatch.

    Source: RoIDataLayer of abhi2610/ohem.
    """

    def __init__(self, roidb: Roidb, num_classes: int):
        self.roidb, self.num_classes = roidb, num_classes
        self.rank, self.count = 0, 1
        if roidb.cfg.TRAIN.ASPECT_GROUPING and len(roidb) % 2:
            raise DataError(
                f"TRAIN.ASPECT_GROUPING makes pairs, but there are {len(roidb)} images; set it to false, or "
                "TRAIN.USE_FLIPPED to true"
            )
        self._shuffle()

    def next(self) -> Blobs:
        for turn in range(self.count):
            indices = self.next_indices()
            if turn == self.rank:
                own = read_minibatch(self.roidb, indices, self.num_classes)
            else:
                draw(entries_of(self.roidb, indices), self.roidb.cfg)
        return own

    def share_out(self, rank: int, count: int) -> None:
        self.rank, self.count = rank, count

    def next_indices(self) -> np.ndarray:
        """The entries of the next minibatch."""
        count = self.roidb.cfg.TRAIN.IMS_PER_BATCH
        if self.cursor + count >= len(self.roidb):
            self._shuffle()
        self.cursor += count
        return self.permutation[self.cursor - count : self.cursor]

    def get_state(self) -> State:
        return {
            "cursor": np.array(self.cursor),
            "permutation": self.permutation.copy(),
            "bbox_means": self.roidb.means.copy(),
            "bbox_stds": self.roidb.stds.copy(),
            "classes": np.array(self.roidb.classes, np.str_),
        }

    def set_state(self, state: State) -> None:
        """Raises DataError where the state is of other data."""
        if not is_order(state["permutation"], len(self.roidb)):
            raise DataError(
                f"the state is of {len(state['permutation'])} images, but there are {len(self.roidb)}; go on with "
                "the same photos, proposals and configuration"
            )
        classes = state["classes"].tolist() if "classes" in state else list(self.roidb.classes)
        if classes != list(self.roidb.classes):
            raise DataError(
                f"the state is of the classes {', '.join(classes[1:])}, but here they are "
                f"{', '.join(self.roidb.classes[1:])}; go on with {option(classes[1:])}"
            )
        for name, ours in (("means", self.roidb.means), ("stds", self.roidb.stds)):
            if not np.array_equal(state[f"bbox_{name}"], ours):
                raise DataError(
                    f"the {name} of the bbox targets are not those of the state; go on with the same photos, "
                    "proposals and configuration"
                )
        self.permutation, self.cursor = state["permutation"].copy(), int(state["cursor"])

    def _shuffle(self) -> None:
        if self.roidb.cfg.TRAIN.ASPECT_GROUPING:
            landscape = self.roidb.is_landscape()
            groups = [np.random.permutation(np.flatnonzero(group)) for group in (landscape, ~landscape)]
            pairs = np.concatenate(groups).reshape(-1, 2)
            self.permutation = pairs[np.random.permutation(len(pairs))].ravel()
        else:
            self.permutation = np.random.permutation(len(self.roidb))
        self.cursor = 0


class SequentialSource(Sequence[Blobs]):
    """Minibatches of IMS_PER_BATCH entries in the roidb's order; the last one is filled up with the first entries.

    Without OHEM, RoIs are sampled again at each reading. Raises DataError as RoidbSource does.
    """

    def __init__(self, roidb: Roidb, num_classes: int):
        self.roidb, self.num_classes = roidb, num_classes
        self._images = roidb.cfg.TRAIN.IMS_PER_BATCH

    def __len__(self) -> int:
        return -(-len(self.roidb) // self._images)

    def __getitem__(self, index: Any) -> Any:
        first = range(len(self))[index] * self._images
        indices = [i % len(self.roidb) for i in range(first, first + self._images)]
        return read_minibatch(self.roidb, indices, self.num_classes)


def read_minibatch(roidb: Roidb, indices: Iterable[int], num_classes: int) -> Blobs:
    """The minibatch of these entries; reads their photos, and mirrors those of mirrored entries."""
    entries = entries_of(roidb, indices)
    photos = [read_photo(entry.path) for entry in entries]
    images = [
        photo[:, ::-1] if entry.flipped else photo for photo, entry in zip(photos, entries, strict=True)
    ]
    try:
        return minibatch(images, entries, num_classes, roidb.cfg)
    except DataError as error:
        raise error.at(", ".join(entry.path for entry in entries)) from None


def entries_of(roidb: Roidb, indices: Iterable[int]) -> list[RoidbEntry]:
    """The entries with these indices."""
    return [roidb[int(i)] for i in indices]
