"""Builds roidbs: reads photos, their annotations and proposals, on all cores."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from caffe_compat.engines.group import Group
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Dataset, Objects, Some
from caffe_compat.fast_rcnn.entries import Photo
from caffe_compat.fast_rcnn.faults import Inspected, error_of, inspect, named
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import Proposals, proposals_from
from caffe_compat.fast_rcnn.roidb import Roidb, photo_rois

T = TypeVar("T")
R = TypeVar("R")
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
    group: Group | None = None,
) -> Roidb:
    """The roidb of a data set, or of some of its image ids.

    `proposals`: a .mat or .npz file. Without one, proposals are searched (`proposals.propose`), which takes each core
    about a second a photo, and kept for the next time. PROPOSAL_METHOD gt needs none. All annotations are read before:
    images with an error (see faults.KINDS) are left out with `skip_bad_images`; the roidb's `skipped` has a message for
    each. The workers of a group share the reading and the searching out; `on_photo` is told of this one's.

    Raises DataError, which names the files, for such images, where the proposals cannot be read or do not fit, and
    where Roidb does.
    """
    group = group or Group()
    find = _proposals(dataset, cfg, proposals)
    image_ids = dataset.image_ids if image_ids is None else image_ids

    inspected = shared_out(lambda image_id: inspect(dataset, image_id), image_ids, group)
    good, skipped = _without_bad(inspected, skip_bad_images)
    _warn_of_turned(good)

    def read(one: Inspected) -> Photo | DataError:
        try:
            image = read_photo(one.path)
        except DataError as error:
            if not skip_bad_images:
                raise
            return error
        height, width = image.shape[:2]
        assert one.objects is not None
        try:
            return photo_rois(one.path, width, height, one.objects, find(one.image_id, image))
        except DataError as error:
            raise error.at(one.path) from None

    found = shared_out(read, good, group, lambda one, count: on_photo(one.image_id, count))
    skipped += [str(one) for one in found if isinstance(one, DataError)]
    photos = [one for one in found if isinstance(one, Photo)]
    if not photos:
        raise _none_is_left(skipped)
    return Roidb(photos, cfg, dataset.classes, skipped)


def usable_images(
    dataset: Dataset,
    on_image: OnPhoto = silent,
    group: Group | None = None,
    skip_bad_images: bool = False,
) -> tuple[Dataset, list[str]]:
    """The data set of the images without errors (see faults.KINDS), and a message for each other one.

    With skip_bad_images photos are also decoded. Without, DataError is raised, one for all, where there are such; it is
    in any case where a class is unknown, and where no image is left. The workers of a group share the reading out;
    `on_image` is told of this one's.
    """
    group = group or Group()
    inspected = shared_out(lambda image_id: inspect(dataset, image_id), dataset.image_ids, group, on_image)
    good, left_out = _without_bad(inspected, skip_bad_images)
    if skip_bad_images:
        errors = shared_out(lambda one: _unreadable(one.path), good, group)
        left_out += [str(error) for error in errors if error]
        good = [one for one, error in zip(good, errors, strict=True) if error is None]
    if not left_out:
        return dataset, []
    if not good:
        raise _none_is_left(left_out)
    return Some(dataset, [one.image_id for one in good]), left_out


def _without_bad(inspected: Sequence[Inspected], skip_bad_images: bool) -> tuple[list[Inspected], list[str]]:
    """The images without errors, and a message for each other one. Raises DataError for an unknown class, which is no
    bad image but a wrong list of classes, and for any error unless they are skipped."""
    bad = [one for one in inspected if one.errors]
    unknown = [one for one in bad if one.errors[0].kind == "class"]
    if bad and not skip_bad_images:
        raise error_of(bad, len(inspected))
    if unknown:
        raise error_of(unknown, len(inspected))
    return [one for one in inspected if not one.errors], [str(one.errors[0].error) for one in bad]


def _none_is_left(skipped: Sequence[str]) -> DataError:
    return DataError(f"none of the {len(skipped)} images of the image set can be used: {named(skipped)}")


def _unreadable(path: str) -> DataError | None:
    """What is wrong with a photo whose header can be read."""
    try:
        read_photo(path)
    except DataError as error:
        return error
    return None


def _warn_of_turned(images: Sequence[Inspected]) -> None:
    turned = [one for one in images if one.objects is not None and one.objects.turned]
    if turned:
        warnings.warn(
            f"{len(turned)} photo(s) are turned upright, as EXIF says, and with them the boxes, which are annotated in "
            f"the photos as they are stored; the first is {turned[0].path}",
            stacklevel=3,
        )


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
        on_all_cores(read, paths, lambda i: on_photo(os.path.basename(paths[i]), len(paths))),
        cfg,
        classes,
    )


def _proposals(dataset: Dataset, cfg: Config, path: str | os.PathLike[str] | None) -> Proposals:
    method = cfg.TRAIN.PROPOSAL_METHOD
    if method == "gt":
        return _annotated_only(path)
    if method == "rpn" and path is None:
        raise DataError(
            "TRAIN.PROPOSAL_METHOD is rpn, and there is no file of proposals; give --proposals F.npz, as caffe-compat "
            "propose writes it, or set it to selective_search"
        )
    return proposals_from(path, dataset.image_ids)


def _annotated_only(proposals: str | os.PathLike[str] | None) -> Proposals:
    if proposals is not None:
        raise DataError(
            "TRAIN.PROPOSAL_METHOD is gt, which takes no proposals; leave the file out, or set it to selective_search",
            file=str(proposals),
        )
    return lambda image_id, image: np.zeros((0, 4), np.float32)


def shared_out(
    read: Callable[[T], R],
    items: Sequence[T],
    group: Group,
    on_done: Callable[[T, int], None] = lambda item, count: None,
) -> list[R]:
    """read(item) for each item, in their order; each worker reads its share of them, on all cores.

    on_done: is told each item that this worker has read, and how many it reads.
    """
    own = group.share(items)
    return group.in_order(on_all_cores(read, own, lambda i: on_done(own[i], len(own))))


def on_all_cores(read: Callable, items: Sequence, on_done: Callable[[int], None] = lambda i: None) -> list:
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
