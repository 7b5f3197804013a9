"""Proposal: what ProposalLayer computes, as a layer of Caffe's own kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.rpn.anchors import generate_anchors, half_up
from caffe_compat.layers.rpn.candidates import (
    are_large,
    best_apart,
    candidate_boxes,
    check_finite,
    check_proposal_shapes,
    foreground,
    write_rois,
)


@register("Proposal")
class Proposal(Layer):
    """RoIs from anchors, best first (proposal_param).

    bottom[0]: N x 2A x H x W probabilities, of no object and then of one, by anchor. bottom[1]: N x 4A x H x W deltas
    from the anchors to the boxes. bottom[2]: a row an image, or one for all: its height and width (pixels), their
    scales (where there is one, it is of both), and whatever follows. top[0]: R x 5 RoIs (image, x1, y1, x2, y2), inside
    the image. top[1], if any: R, their probabilities. The A = ratio * scale anchors are those of ProposalLayer, around
    a square of base_size. Boxes narrower or lower than min_size times the scale get the probability 0; of the
    pre_nms_topn best of an image, those stay that overlap no better one above nms_thresh, up to post_nms_topn. Before
    the first forward there are as many RoIs as there may be.
    Raises LayerError for shapes that do not agree, and for bottoms that are not finite (in phase TEST: im_info).

    Source: ProposalLayer of sanghoon's Caffe (PVANET), for images one by one; which of equal probabilities is the best
    depends there on its sort. happynear's Caffe has the same fields, and anchors whose scale is in pixels.
    """

    reads = ("proposal_param",)
    origin = "PVANET"
    bottom_count = (3, 3)
    top_count = (1, 2)
    no_gradient = (0, 1, 2)
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.proposal_param
        counts = (
            self.param.base_size,
            self.param.feat_stride,
            self.param.pre_nms_topn,
            self.param.post_nms_topn,
        )
        sizes = [*self.param.ratio, *self.param.scale, *counts]
        if not self.param.ratio or not self.param.scale or not all(0 < size < np.inf for size in sizes):
            raise self.error(
                f"there are {len(self.param.ratio)} ratios and {len(self.param.scale)} scales; expected one or more, "
                "and these, base_size, feat_stride, pre_nms_topn and post_nms_topn above 0"
            )
        anchors = generate_anchors(self.param.base_size, self.param.ratio, self.param.scale, half_up)
        self.anchors = anchors.astype(bottom[1].dtype)
        rows = bottom[0].num * self.param.post_nms_topn
        top[0].reshape(rows, 5)
        for blob in top[1:]:
            blob.reshape(rows)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many RoIs there are is known after forward."""
        check_proposal_shapes(self, bottom, len(self.anchors))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_finite(self, bottom)
        infos = bottom[2].data.reshape(bottom[2].num, -1)
        found = [
            self._propose(bottom[0].data[image], bottom[1].data[image], infos[min(image, len(infos) - 1)])
            for image in range(bottom[0].num)
        ]
        write_rois(top[0], [boxes for boxes, _ in found])
        for blob in top[1:]:
            blob.reshape(top[0].num)
            blob.data[...] = np.concatenate([scores for _, scores in found])

    def _propose(
        self, probabilities: np.ndarray, deltas: np.ndarray, info: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The boxes of an image, and their scores."""
        height, width, *scales = info[:4]
        boxes = candidate_boxes(self.anchors, self.param.feat_stride, deltas, height, width)
        least = self.param.min_size * np.array([scales[-1], scales[0]], boxes.dtype)  # of width and height
        scores = foreground(probabilities) * are_large(boxes, least)
        rows = np.flatnonzero(np.isfinite(scores))
        limits = self.param.pre_nms_topn, self.param.post_nms_topn, self.param.nms_thresh
        rows = rows[best_apart(boxes[rows], scores[rows], *limits)]
        return boxes[rows], scores[rows]
