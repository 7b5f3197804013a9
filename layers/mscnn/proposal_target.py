"""ProposalTarget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.boxes import cornered, encoded, overlap, sized
from caffe_compat.layers.registry import register
from caffe_compat.rng import Rng, caffe_rng

LEAST_SIDE = 32  # of a box that is drawn where there are too few RoIs
TRIES = 10_000


class Boxes(NamedTuple):
    """image: whole numbers. boxes: x y w h."""

    image: np.ndarray
    boxes: np.ndarray

    def and_(self, other: Boxes) -> Boxes:
        return Boxes(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


@register("ProposalTarget")
class ProposalTarget(Layer):
    """Samples RoIs and says what is to be predicted for them (proposal_target_param).

    bottom[0]: N x 5 RoIs (image, x1, y1, x2, y2). bottom[1]: ground-truth boxes, G x 8 as from DetectionData (image,
    x1, y1, x2, y2, class, ignored, difficult) or G x 7 as from ImageGtData (without difficult); rows of image -1 or
    class 0 are none, the others are RoIs too (append_gtbox). Tops, R rows each, the foreground first: RoIs R x 5;
    classes R; offsets to the box, inside weights and outside weights, R x 4 cls_num, not 0 for the RoI's own class only
    (cls_aware false: R x 8, for the second half); if wanted (SINet does without) the matched box R x 6 (class, x1, y1,
    x2, y2, overlap; all 0 for background); and, if wanted, what each RoI weighs in a loss.

    A RoI is foreground where it overlaps a box by fg_thr or more (but not where that box is ignored), background from
    bg_thr_lw to below bg_thr_hg. At most fg_fraction of batch_size are foreground; both are drawn where there are too
    many. Where there are too few, other RoIs fill up, the first ones first (pickup_discard). batch_size -1 takes all
    foreground and background. Without any RoI, one box of background is drawn within img_width x img_height; with
    G x 7 so many that there are batch_size. Offsets have weights where the overlap lies from bbox_thr_lw to
    bbox_thr_hg; they are less bbox_mean, divided by bbox_std. The weights of the last top sum up to fg_fraction for
    the foreground (with iou_weighted after their overlaps) and the rest for the background.

    Nothing takes a gradient. Raises LayerError for shapes, images and params that do not agree.
    Source: ProposalTargetLayer of zhaoweicai/cascade-rcnn and, for G x 7, zhaoweicai/mscnn, with their random numbers.
    """

    reads = ("bbox_reg_param", "proposal_target_param")
    origin = "MS-CNN"
    bottom_count = (2, 2)
    top_count = (5, 7)
    no_gradient = (0, 1)
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.proposal_target_param
        self.regression = BBoxReg(self)
        if param.batch_size < 1 and param.batch_size != -1:
            raise self.error(
                f"batch_size is {param.batch_size}; expected a number above 0, or -1 for all RoIs"
            )
        if param.cls_num < 1:
            raise self.error("cls_num must be given: the number of classes, with the background")
        if not param.fg_thr >= param.bg_thr_hg:
            raise self.error(f"fg_thr {param.fg_thr:g} must not be below bg_thr_hg {param.bg_thr_hg:g}")
        self.rng = Rng(caffe_rng().draw())
        self._shape_tops(top, param.batch_size if param.batch_size > 0 else max(bottom[0].num, 1))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many RoIs are sampled is known after forward."""
        rows, boxes = bottom[0].num, bottom[1].num
        if bottom[0].count != 5 * rows:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected {(rows, 5)}")
        if bottom[1].channels not in (7, 8) or bottom[1].count != boxes * bottom[1].channels:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; expected {(boxes, 7)} or {(boxes, 8)}: image, x1, y1, x2, "
                "y2, class, ignored, difficult"
            )

    def get_state(self) -> dict[str, np.ndarray]:
        return rng_state("sampling", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        set_rng_state("sampling", self.rng, state)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        truth = bottom[1].data.reshape(bottom[1].num, bottom[1].channels)
        truth = truth[(truth[:, 0] != -1) & (truth[:, 5] > 0)]
        self.fills_up = truth.shape[1] == 7
        self.pixel = 0 if self.fills_up else 1
        self.truth = self._boxes(truth, "ground-truth box")
        self.labels, self.ignored = truth[:, 5].astype(int), truth[:, 6] != 0
        rois = self._boxes(bottom[0].data.reshape(-1, 5), "RoI")
        if self.param.append_gtbox:
            rois = rois.and_(self.truth)
        match, most = self._matches(rois)
        foreground, background = self._sample(match, most)
        missing = self._missing(len(foreground) + len(background))
        if missing:
            background = np.append(background, len(match) + np.arange(missing))
            rois, match = rois.and_(self._drawn(missing)), np.append(match, [-1] * missing)
            most = np.append(most, np.zeros(missing, np.float32))
        rows = np.concatenate([foreground, background])
        self._write(top, Boxes(rois.image[rows], rois.boxes[rows]), match[rows], most[rows], len(foreground))

    def _boxes(self, rows: np.ndarray, what: str) -> Boxes:
        images = self.param.num_img_per_batch
        wrong = np.flatnonzero(~((rows[:, 0] > -1) & (rows[:, 0] < images)))
        if wrong.size:
            raise self.error(
                f"{what} {wrong[0]} is of image {rows[wrong[0], 0]:g}; num_img_per_batch is {images}, so that there "
                f"are images 0 to {images - 1}"
            )
        return Boxes(rows[:, 0].astype(int), sized(rows[:, 1:5]))

    def _matches(self, rois: Boxes) -> tuple[np.ndarray, np.ndarray]:
        """The box of the same image that each RoI overlaps most, -1 where there is none, and by how much."""
        if not len(self.labels):
            return np.full(len(rois.image), -1), np.zeros(len(rois.image), np.float32)
        each = overlap(rois.boxes[:, None], self.truth.boxes, self.pixel)
        each = np.where(rois.image[:, None] == self.truth.image, each, -1)
        most = each.max(axis=1)
        return np.where(most >= 0, each.argmax(axis=1), -1), np.maximum(most, 0)

    def _sample(self, match: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The indices of the RoIs that are taken as foreground and as background."""
        param = self.param
        fits = (match >= 0) & (most >= np.float32(param.fg_thr))
        foreground = np.flatnonzero(fits & ~np.append(self.ignored, False)[match])
        fits_behind = ~fits & (most >= np.float32(param.bg_thr_lw)) & (most < np.float32(param.bg_thr_hg))
        background, others = np.flatnonzero(fits_behind), np.flatnonzero(~fits & ~fits_behind)
        batch, wanted = len(foreground) + len(background), len(foreground)
        if param.batch_size > 0:
            batch = param.batch_size
            wanted = cut_off(c_round(np.float32(param.fg_fraction) * np.float32(batch)))
        foreground = self._some(foreground, wanted)
        rest = batch - len(foreground)
        if len(background) <= rest and param.pickup_discard:
            return foreground, np.concatenate([background, others[: rest - len(background)]])
        return foreground, self._some(background, rest)

    def _some(self, rows: np.ndarray, count: int) -> np.ndarray:
        """All rows, or where there are more, `count` of them in a random order."""
        if len(rows) > count:
            self.rng.shuffle(rows)
        return rows[:count]

    def _missing(self, count: int) -> int:
        """How many boxes are to be drawn."""
        if self.fills_up and self.param.batch_size > 0:
            return self.param.batch_size - count
        return int(count == 0)

    def _drawn(self, count: int) -> Boxes:
        """Boxes of background, drawn from the global stream."""
        param, rng = self.param, caffe_rng()
        if min(param.img_width, param.img_height) <= LEAST_SIDE:
            raise self.error(
                f"there are too few RoIs, and none can be drawn in {param.img_width} x {param.img_height} pixels; give "
                f"img_width and img_height above {LEAST_SIDE}"
            )
        images, boxes = [], []
        for _ in range(TRIES + count):
            image = rng.draw() % param.num_img_per_batch
            x, y = (rng.draw() % (side - LEAST_SIDE) for side in (param.img_width, param.img_height))
            w, h = (rng.draw() % side for side in (param.img_width - x, param.img_height - y))
            box = np.array([x, y, max(w, LEAST_SIDE), max(h, LEAST_SIDE)], np.float32)
            near = self.truth.boxes[self.truth.image == image]
            if not (overlap(box, near, self.pixel) >= np.float32(param.fg_thr)).any():
                images.append(image)
                boxes.append(box)
            if len(boxes) == count + self.fills_up:  # MS-CNN draws one that it does not need
                return Boxes(np.array(images[:count]), np.stack(boxes[:count]))
        raise self.error("there are too few RoIs, and no box of background is found; is fg_thr too low?")

    def _write(
        self, top: Sequence[Blob], rois: Boxes, match: np.ndarray, most: np.ndarray, foreground: int
    ) -> None:
        self._shape_tops(top, len(match))
        for blob in top[1:6]:
            blob.data[...] = 0
        corners = cornered(rois.boxes)
        top[0].data[..., 0, 0] = np.column_stack([rois.image, corners])
        self._write_foreground(top, rois.boxes[:foreground], match[:foreground], most[:foreground])
        if len(top) > 6:
            top[6].data[:, 0, 0, 0] = self._weights(most, foreground)

    def _write_foreground(
        self, top: Sequence[Blob], boxes: np.ndarray, match: np.ndarray, most: np.ndarray
    ) -> None:
        labels, truth, rows = self.labels[match], self.truth.boxes[match], np.arange(len(match))
        column = labels if self.regression.cls_aware else np.minimum(labels, 1)
        if len(labels) and column.max() * 4 >= top[2].channels:
            raise self.error(f"a ground-truth box has class {labels.max()}; cls_num is {self.param.cls_num}")
        top[1].data[rows, 0, 0, 0] = labels
        offsets, inside, outside = (blob.data.reshape(len(blob.data), -1, 4) for blob in top[2:5])
        offsets[rows, column] = self.regression.normalized(encoded(boxes, truth))
        low, high = np.float32(self.param.bbox_thr_lw), np.float32(self.param.bbox_thr_hg)
        inside[rows, column] = outside[rows, column] = ((most >= low) & (most <= high))[:, None]
        if len(top) > 5:
            top[5].data[rows, :, 0, 0] = np.column_stack([labels, cornered(truth), most])

    def _weights(self, most: np.ndarray, foreground: int) -> np.ndarray:
        weights = np.ones(len(most), np.float32)
        if self.param.iou_weighted:
            weights[:foreground] = most[:foreground]
        total = weights[:foreground].sum()
        if total != 0:
            share = np.float32(self.param.fg_fraction)
            weights[:foreground] *= share * len(most) / total
            weights[foreground:] *= (1 - share) * len(most) / max(len(most) - foreground, 1)
        return weights

    def _shape_tops(self, top: Sequence[Blob], rows: int) -> None:
        offsets = 4 * self.param.cls_num if self.regression.cls_aware else 8
        for blob, columns in zip(top, (5, 1, offsets, offsets, offsets, 6, 1), strict=False):
            blob.reshape(rows, columns, 1, 1)
