"""Sequences of minibatches for the RoI data layer, read from photos when their turn comes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import IMS_PER_BATCH
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.minibatch import Blobs, frcn_blobs, ohem_blobs
from caffe_compat.fast_rcnn.proposals import propose
from caffe_compat.fast_rcnn.roidb import RoidbEntry, roidb_entry
from caffe_compat.fast_rcnn.voc import Devkit


class DevkitSamples(Sequence[Blobs]):
    """The minibatches of an image set, in its order and without flips.

    With `ohem`, a minibatch is one photo with all its RoIs: objects and proposals (`minibatch.ohem_blobs`).
    Without, it is two photos with 128 sampled RoIs (`minibatch.frcn_blobs`); each reading samples anew, and
    the last of an odd number of photos goes with the first.

    Reading one raises DataError, which names the file, where a photo, an annotation or both do not fit.
    """

    def __init__(self, devkit: Devkit, ohem: bool, num_classes: int):
        self.devkit, self.num_classes = devkit, num_classes
        self._blobs = ohem_blobs if ohem else frcn_blobs
        self._photos = 1 if ohem else IMS_PER_BATCH

    def __len__(self) -> int:
        return -(-len(self.devkit.image_ids) // self._photos)

    def __getitem__(self, index: Any) -> Any:
        first = range(len(self))[index] * self._photos
        image_ids = [
            self.devkit.image_ids[i % len(self.devkit.image_ids)] for i in range(first, first + self._photos)
        ]
        images, entries = zip(*(self._read(image_id) for image_id in image_ids), strict=True)
        try:
            return self._blobs(images, entries, self.num_classes)
        except DataError as error:
            raise error.at(", ".join(str(self.devkit.photo(image_id)) for image_id in image_ids)) from None

    def _read(self, image_id: str) -> tuple[np.ndarray, RoidbEntry]:
        image = read_photo(self.devkit.photo(image_id))
        height, width = image.shape[:2]
        annotation = self.devkit.annotation(image_id, width, height)
        return image, roidb_entry(annotation.boxes, annotation.classes, propose(image))


class PhotoSamples(Sequence[Blobs]):
    """The minibatches of photos that nobody annotated: one photo each, with all its proposals.

    Nothing says what is in them, so all RoIs are background: labels, targets and weights are 0.

    Reading one raises DataError, which names the file, where the photo cannot be read or gives no RoI.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], num_classes: int):
        self.paths, self.num_classes = list(paths), num_classes

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        image = read_photo(self.paths[index])
        entry = roidb_entry(np.zeros((0, 4)), np.zeros(0, np.int32), propose(image))
        try:
            return ohem_blobs([image], [entry], self.num_classes)
        except DataError as error:
            raise error.at(str(self.paths[index])) from None
