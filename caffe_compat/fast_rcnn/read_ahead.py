"""Reads each photo and finds its proposals while the net still works on the photo before."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import proposals_from


@dataclass(frozen=True)
class ReadPhoto:
    """A photo, height x width x 3 uint8, BGR; its proposals, P x 4 float32 or None; and the seconds to find these."""

    image: np.ndarray
    proposals: np.ndarray | None
    seconds: float


def read_ahead(
    paths: Sequence[str],
    proposals: str | os.PathLike[str] | None = None,
    names: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    takes_proposals: bool = True,
) -> Iterator[ReadPhoto | DataError]:
    """The photos in their order; in place of one that cannot be read, the error.

    A thread reads the next photo, since most of the time goes into OpenCV's search. proposals: a file, see
    proposals.proposals_from. names: the photos' image ids; default: their file names without the suffix. image_ids: the
    ids of all images of a .mat file that does not name them. takes_proposals: false where the net proposes boxes
    itself, so that nothing is searched. Raises DataError where the file cannot be read, or is given to such a net.
    """
    if not takes_proposals and proposals is not None:
        raise DataError("the net proposes boxes itself; leave these proposals out", file=str(proposals))
    names = [Path(path).stem for path in paths] if names is None else names
    find = proposals_from(proposals, names if image_ids is None else image_ids, may_stick_out=True)

    def read(path: str, name: str) -> ReadPhoto | DataError:
        try:
            image = read_photo(path)
            if not takes_proposals:
                return ReadPhoto(image, None, 0.0)
            start = time.perf_counter()
            boxes = np.asarray(find(name, image), np.float32)
            return ReadPhoto(image, boxes, time.perf_counter() - start)
        except DataError as error:
            error.at(path)
            return error

    with ThreadPoolExecutor(1) as pool:
        waiting: Future | None = None
        for path, name in zip(paths, names, strict=True):
            before, waiting = waiting, pool.submit(read, path, name)
            if before:
                yield before.result()
        if waiting:
            yield waiting.result()
