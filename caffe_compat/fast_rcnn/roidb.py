"""The roidb: the RoIs of all photos of a data set, and what its annotated objects say about each of them.

Source: the reference's datasets/imdb.py, roi_data_layer/roidb.py and fast_rcnn/train.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import bbox_overlaps, bbox_transform, inside_photo
from caffe_compat.fast_rcnn.config import Config, TrainConfig
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.entries import Photo, RoidbEntry

CROWD_THRESH = 0.7  # of a proposal's area, in a crowd, from which it is no RoI


def photo_rois(path: str, width: int, height: int, objects: Objects, proposals: np.ndarray) -> Photo:
    """A photo's objects (there may be none) and P x 4 proposals, with their overlaps.

    Difficult objects and crowds are left out, and proposals that lie in crowds (CROWD_THRESH).
    Raises DataError for a proposal that is not inside the photo.

    Source: the reference's datasets/imdb.py; datasets/coco.py of py-faster-rcnn for crowds.
    """
    _check_inside(proposals, width, height)
    learned = objects.boxes[~objects.ignored].astype(np.float32)
    if objects.crowd.any():
        proposals = proposals[_within(proposals, objects.boxes[objects.crowd]) <= CROWD_THRESH]
    boxes = np.concatenate((learned, proposals)).astype(np.float32)
    max_overlaps = np.zeros(len(boxes), np.float32)
    matched = np.zeros(len(boxes), np.int16)
    if len(learned) > 0:
        overlaps = bbox_overlaps(boxes, learned)
        max_overlaps[:] = overlaps.max(axis=1)
        matched[:] = overlaps.argmax(axis=1)
        # each object is its own match, though another one may have the same box
        matched[: len(learned)] = np.arange(len(learned))
    whole = (boxes == boxes.astype(np.uint16)).all()
    stored = boxes.astype(np.uint16) if whole else boxes
    classes = objects.classes[~objects.ignored]
    return Photo(path, width, height, stored, classes, max_overlaps, matched)


class Roidb(Sequence[RoidbEntry]):
    """One RoidbEntry a photo, in the photos' order; with USE_FLIPPED, their mirror images follow in the same order.

    An entry is made each time it is asked for. cfg: its TRAIN says which RoIs are foreground, and how targets are
    normalised. Photos without a foreground or background RoI (with HAS_RPN: without an object) are left out.

    Attributes:
        cfg, classes    classes: the names of the data set's classes, the background's first
        photos          those that are not left out
        filtered        how many were left out
        means, stds     4 K float64 for K classes, class by class: of the box targets of all entries, or those of the
                        configuration (BBOX_NORMALIZE_TARGETS_PRECOMPUTED). With AGNOSTIC K is 2: the background, and
                        all else
        skipped         one message for each photo that could not be read and was skipped

    Raises DataError where no photo is left, and for a configuration that cannot be served.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        cfg: Config,
        classes: Sequence[str],
        skipped: Sequence[str] = (),
    ):
        _check_config(cfg.TRAIN)
        self.cfg, self.classes, self.skipped = cfg, classes, list(skipped)
        self.photos = [photo for photo in photos if _is_usable(photo, cfg.TRAIN)]
        self.filtered = len(photos) - len(self.photos)
        if not self.photos:
            raise DataError(
                _nothing_usable(cfg.TRAIN),
                file=", ".join(photo.path for photo in photos[:2]) or None,
            )
        self.means, self.stds = self._normalisation()

    def is_landscape(self) -> np.ndarray:
        """Which entries are at least as wide as high: bool, one for each."""
        landscape = np.array([photo.width >= photo.height for photo in self.photos])
        return np.resize(landscape, len(self))

    def __len__(self) -> int:
        return len(self.photos) * (2 if self.cfg.TRAIN.USE_FLIPPED else 1)

    def __getitem__(self, index):
        flipped, row = divmod(range(len(self))[index], len(self.photos))
        photo = self.photos[row]
        boxes = _boxes(photo, bool(flipped))
        max_classes = np.zeros(len(boxes), np.int32)
        if len(photo.gt_classes) > 0:
            max_classes[:] = np.where(photo.max_overlaps > 0, photo.gt_classes[photo.matched], 0)
        rows, targets = _targets(photo, boxes, self.cfg.TRAIN.BBOX_THRESH)
        if self.cfg.TRAIN.BBOX_NORMALIZE_TARGETS:
            kinds = box_classes(max_classes[rows], self.cfg.TRAIN)
            # float32 after each step, as the reference rounds
            targets -= self.means.reshape(-1, 4)[kinds]
            targets /= self.stds.reshape(-1, 4)[kinds]
        bbox_targets = np.zeros((len(boxes), 5), np.float32)
        bbox_targets[rows, 0] = max_classes[rows]
        bbox_targets[rows, 1:] = targets
        return RoidbEntry(
            photo.path, bool(flipped), boxes, photo.gt_classes, photo.max_overlaps, max_classes, bbox_targets
        )

    def _normalisation(self) -> tuple[np.ndarray, np.ndarray]:
        train, num_classes = self.cfg.TRAIN, len(self.classes)
        highest = max(int(photo.gt_classes.max(initial=0)) for photo in self.photos)
        if highest >= num_classes:
            raise DataError(
                f"an object has class {highest}, but the data set has classes 0 to {num_classes - 1}"
            )
        kinds = num_box_classes(num_classes, train)
        if train.BBOX_NORMALIZE_TARGETS_PRECOMPUTED:
            fixed = train.BBOX_NORMALIZE_MEANS, train.BBOX_NORMALIZE_STDS
            return np.tile(fixed[0], kinds), np.tile(fixed[1], kinds)
        counts = np.zeros((kinds, 1)) + self.cfg.EPS
        sums, squares = np.zeros((2, kinds, 4))
        for flipped in (False, True)[: 1 + train.USE_FLIPPED]:
            for photo in self.photos:
                rows, targets = _targets(photo, _boxes(photo, flipped), train.BBOX_THRESH)
                classes = box_classes(photo.gt_classes[photo.matched[rows]], train)
                for k in np.unique(classes):
                    of_class = targets[classes == k]
                    counts[k] += len(of_class)
                    sums[k] += of_class.sum(axis=0)
                    squares[k] += (of_class**2).sum(axis=0)
        means = sums / counts
        stds = np.sqrt(np.maximum(squares / counts - means**2, 0))
        # a class whose objects no proposal overlaps has only targets of 0: a std of 1 keeps them, 0 would give 0 / 0
        stds[(counts >= 1) & (stds == 0)] = 1
        return means.ravel(), stds.ravel()


def num_box_classes(num_classes: int, train: TrainConfig) -> int:
    """How many classes box targets have: with AGNOSTIC two, the background and all else."""
    return 2 if train.AGNOSTIC else num_classes


def box_classes(classes: np.ndarray, train: TrainConfig) -> np.ndarray:
    """Of each RoI's class, the one of its box targets."""
    return np.minimum(classes, 1) if train.AGNOSTIC else classes


def _boxes(photo: Photo, flipped: bool) -> np.ndarray:
    boxes = photo.boxes.astype(np.float32)
    if flipped:
        boxes[:, [0, 2]] = photo.width - boxes[:, [2, 0]] - 1  # in this order, as the reference rounds
    return boxes


def _targets(photo: Photo, boxes: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The rows that have targets, and dx dy dw dh from each of them to its object (float32, computed in float64)."""
    if len(photo.gt_classes) == 0:
        return np.zeros(0, int), np.zeros((0, 4), np.float32)
    rows = np.flatnonzero((photo.max_overlaps >= threshold) & (photo.max_overlaps > 0))
    exact = boxes.astype(np.float64)
    return rows, bbox_transform(exact[rows], exact[photo.matched[rows]]).astype(np.float32)


def _is_usable(photo: Photo, train: TrainConfig) -> bool:
    if train.HAS_RPN:
        return len(photo.gt_classes) > 0
    overlaps = photo.max_overlaps
    background = (overlaps < train.BG_THRESH_HI) & (overlaps >= train.BG_THRESH_LO)
    return bool((background | (overlaps >= train.FG_THRESH)).any())


def _nothing_usable(train: TrainConfig) -> str:
    if train.HAS_RPN or train.PROPOSAL_METHOD == "gt":
        return "there is no annotated object in any photo, and nothing else to learn from"
    return (
        "there is no RoI: the photos are too small for proposals, or none of them overlaps an object by "
        f"{train.BG_THRESH_LO:g}; leave them out"
    )


def _within(boxes: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    """The greatest part of each box that lies in one crowd."""
    low = np.maximum(boxes[:, None, :2], crowds[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], crowds[None, :, 2:])
    shared = np.maximum(high - low + 1, 0).prod(axis=2)
    return shared.max(axis=1) / (boxes[:, 2:] - boxes[:, :2] + 1.0).prod(axis=1)


def _check_inside(boxes: np.ndarray, width: int, height: int) -> None:
    inside = inside_photo(boxes, width, height)
    if not inside.all():
        box = boxes[np.argmin(inside)].tolist()
        raise DataError(
            f"the proposal {box} is not inside the photo of {width} x {height} pixels; expected x1 y1 x2 y2, "
            "counted from 0"
        )


def _check_config(train: TrainConfig) -> None:
    wrong = None
    if train.PROPOSAL_METHOD not in ("selective_search", "rpn", "gt"):
        wrong = (
            f"TRAIN.PROPOSAL_METHOD is '{train.PROPOSAL_METHOD}'; there are selective_search, which takes proposals "
            "of a file too, rpn, which takes those of a file only, and gt"
        )
    elif train.HAS_RPN:
        wrong = _wrong_with_rpn(train)
    elif train.BATCH_SIZE != -1 and (train.BATCH_SIZE < 1 or train.BATCH_SIZE % train.IMS_PER_BATCH):
        wrong = (
            f"TRAIN.BATCH_SIZE is {train.BATCH_SIZE} and TRAIN.IMS_PER_BATCH {train.IMS_PER_BATCH}; "
            "each image needs the same number of RoIs, so the second must divide the first, or the first be -1: all"
        )
    elif train.USE_OHEM and train.BG_THRESH_LO != 0:
        wrong = f"TRAIN.BG_THRESH_LO is {train.BG_THRESH_LO:g}; with TRAIN.USE_OHEM it must be 0.0"
    elif train.BG_THRESH_LO >= train.BG_THRESH_HI:
        wrong = (
            f"TRAIN.BG_THRESH_LO is {train.BG_THRESH_LO:g} and TRAIN.BG_THRESH_HI {train.BG_THRESH_HI:g}; background "
            "overlaps an object by at least the first and less than the second, so that no RoI is background"
        )
    if wrong:
        raise DataError(wrong)


def _wrong_with_rpn(train: TrainConfig) -> str | None:
    if train.IMS_PER_BATCH != 1:
        return f"TRAIN.IMS_PER_BATCH is {train.IMS_PER_BATCH}; with TRAIN.HAS_RPN it must be 1"
    if train.BATCH_SIZE < 1 and train.BATCH_SIZE != -1:
        return f"TRAIN.BATCH_SIZE is {train.BATCH_SIZE}; expected a number of RoIs, or -1 for all"
    if train.USE_OHEM:
        return "TRAIN.USE_OHEM is for RoIs of the data, and with TRAIN.HAS_RPN the net proposes them; set one to false"
    if train.BBOX_REG and train.BBOX_NORMALIZE_TARGETS and not train.BBOX_NORMALIZE_TARGETS_PRECOMPUTED:
        return (
            "TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED is false, but RoIs that the net will propose have no means yet; "
            "with TRAIN.HAS_RPN set it to true, or TRAIN.BBOX_NORMALIZE_TARGETS to false"
        )
    return None
