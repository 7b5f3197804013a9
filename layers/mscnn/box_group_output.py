"""BoxGroupOutput."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.anchors import Anchors, bounds, last_axis
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.boxes import cornered
from caffe_compat.layers.mscnn.proposals import Proposals
from caffe_compat.layers.registry import register


@register("BoxGroupOutput")
class BoxGroupOutput(Proposals):
    """RoIs from maps of probabilities and offsets, several anchors a place (box_group_output_param).

    Two bottoms a scale, and a box_group_param each. First N G x classes x H x W, the probabilities of the background
    and of the other classes; then N G x 4 x H x W, offsets of boxes of field_w x field_h around the places, `stride`
    pixels apart. There are G fields, and row i is of field i % G. A box scores 1 less the probability of the
    background; it counts from fg_thr on, and where it is at least min_size pixels wide and high, clipped to the image.
    Offsets are times bbox_std, plus bbox_mean, and at most a field / field_xyr away and field_whr times larger or
    smaller. Tops: see proposals.py. Nothing takes a gradient. Of equal scores the first place comes first; the fork
    leaves that to std::partial_sort, which promises no order among equals.

    Source: BoxGroupOutputLayer of zhaoweicai/cascade-rcnn.
    """

    reads = ("bbox_reg_param", "box_group_output_param")
    origin = "Cascade R-CNN"
    without_effect = ("bbox_reg_param.cls_aware",)
    bottom_count = (2, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.box_group_output_param
        groups = param.box_group_param
        if len(bottom) != 2 * len(groups):
            raise self.error(
                f"there are {len(bottom)} bottoms and {len(groups)} box_group_param; each of these needs two bottoms"
            )
        super().setup(bottom, top)
        self.regression = BBoxReg(self)
        self.bounds = bounds(self, param.field_xyr, param.field_whr)
        self.anchors = [Anchors(self, group.field_w, group.field_h, group.stride) for group in groups]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for index, anchors in enumerate(self.anchors):
            scores, offsets = bottom[2 * index : 2 * index + 2]
            expected = (scores.num, 4, *scores.shape[2:])
            if len(scores.shape) != 4 or offsets.shape != expected or not scores.channels:
                raise self.error(
                    f"bottom[{2 * index + 1}] has the shape {offsets.shape}, bottom[{2 * index}] {scores.shape}; "
                    f"expected N x C x H x W and {expected}"
                )
            if scores.num != self.images(bottom) * anchors.groups:
                raise self.error(
                    f"bottom[{2 * index}] has the shape {scores.shape}; {self.images(bottom)} images with "
                    f"{anchors.groups} fields need {self.images(bottom) * anchors.groups} rows"
                )

    def images(self, bottom: Sequence[Blob]) -> int:
        return bottom[0].num // self.anchors[0].groups

    def candidates(self, bottom: Sequence[Blob], image: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        scales = zip(bottom[::2], bottom[1::2], self.anchors, strict=True)
        each = [self._boxes(*scale, image) for scale in scales]
        boxes, scores = (np.concatenate(values) for values in zip(*each, strict=True))
        order = np.argsort(-scores, kind="stable")
        boxes, scores = boxes[order], scores[order]
        return boxes, (boxes[:, 2:] - boxes[:, :2] + np.float32(1)).prod(axis=1), scores

    def _boxes(
        self, scores: Blob, offsets: Blob, anchors: Anchors, image: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes x1 y1 x2 y2 of one scale that count, and their scores: field by field, in the order of the places."""
        rows = slice(image * anchors.groups, (image + 1) * anchors.groups)
        restored = self.regression.restored(last_axis(offsets.data[rows]))
        boxes = cornered(anchors.decoded(np.clip(restored, *self.bounds))).reshape(-1, 4)
        size = np.array(scores.shape[:1:-1], np.float32) * anchors.stride
        boxes[:, :2] = np.maximum(boxes[:, :2], 0)
        boxes[:, 2:] = np.minimum(boxes[:, 2:], size)
        score = (1 - scores.data[rows, 0]).ravel()
        large = (boxes[:, 2:] - boxes[:, :2] + np.float32(1) >= np.float32(self.param.min_size)).all(axis=1)
        counts = (score >= np.float32(self.param.fg_thr)) & large
        return boxes[counts], score[counts]
