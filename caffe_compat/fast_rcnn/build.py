"""Builds roidbs: reads photos, their annotations and proposals, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Dataset, Objects, objects_of
from caffe_compat.fast_rcnn.entries import Photo
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import Proposals, proposals_from
from caffe_compat.fast_rcnn.roidb import Roidb, check_objects, photo_rois

OnPhoto = Callable[[str, int], None]  # is told the name of each photo done, and how many there are in all


def silent(name: str, total: int) -> None:
    """An OnPhoto that does nothing."""


def dataset_roidb(
    dataset: Dataset,
    cfg: Config,
    proposals: str | os.PathLike[str] | None = None,
    on_photo: OnPhoto = silent,
    skip_bad_images: bool = False,
    image_ids: Sequence[str] | None = None,
) -> Roidb:
    """The roidb of a data set, or of some of its image ids.

    `proposals`: a .mat or .npz file. Without one, proposals are searched (`proposals.propose`), which takes each core
    about a second a photo, and kept for the next time. PROPOSAL_METHOD gt needs none. With `skip_bad_images`, photos
    that cannot be read are left out; the roidb's `skipped` has a message for each.

    Raises DataError, which names the file, where a photo, its annotation or its proposals cannot be read or do not
    fit each other, and where Roidb does.
    """
    image_ids = dataset.image_ids if image_ids is None else image_ids
    find = (
        _annotated_only(proposals)
        if cfg.TRAIN.PROPOSAL_METHOD == "gt"
        else proposals_from(proposals, dataset.image_ids)
    )

    def read(image_id: str) -> Photo | DataError:
        path = dataset.photo(image_id)
        try:
            image = read_photo(path)
        except DataError as error:
            if not skip_bad_images:
                raise
            return error
        height, width = image.shape[:2]
        objects = objects_of(dataset, image_id)
        check_objects(objects, width, height)
        try:
            return photo_rois(str(path), width, height, objects, find(image_id, image))
        except DataError as error:
            raise error.at(str(path)) from None

    found = _on_all_cores(read, image_ids, lambda i: on_photo(image_ids[i], len(image_ids)))
    bad = [str(one) for one in found if isinstance(one, DataError)]
    photos = [one for one in found if isinstance(one, Photo)]
    if not photos:
        raise DataError(f"none of the {len(bad)} photos of the image set can be read; the first: {bad[0]}")
    return Roidb(photos, cfg, dataset.classes, bad)


def photos_roidb(
    paths: Sequence[str | os.PathLike[str]],
    cfg: Config,
    classes: Sequence[str],
    on_photo: OnPhoto = silent,
) -> Roidb:
    """The roidb of photos without annotations: searched proposals only, all background. Raises DataError."""
    nothing = Objects([], [])
    find = proposals_from(None, ())

    def read(path: str | os.PathLike[str]) -> Photo:
        image = read_photo(path)
        return photo_rois(str(path), image.shape[1], image.shape[0], nothing, find("", image))

    return Roidb(
        _on_all_cores(read, paths, lambda i: on_photo(os.path.basename(paths[i]), len(paths))),
        cfg,
        classes,
    )


def _annotated_only(proposals: str | os.PathLike[str] | None) -> Proposals:
    if proposals is not None:
        raise DataError(
            "TRAIN.PROPOSAL_METHOD is gt, which takes no proposals; leave the file out, or set it to selective_search",
            file=str(proposals),
        )
    return lambda image_id, image: np.zeros((0, 4), np.float32)


def _on_all_cores(read: Callable, items: Sequence, on_done: Callable[[int], None]) -> list:
    """read(item) for each item, in their order, by threads: most of the time goes into OpenCV, which lets them run."""
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(read, item) for item in items]
        try:
            for i, one in enumerate(waiting):
                found.append(one.result())
                on_done(i)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found
