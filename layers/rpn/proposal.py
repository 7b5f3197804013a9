"""ProposalLayer of Faster R-CNN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TEST, TRAIN, Layer
from caffe_compat.layers.common.param_str import anchor_params
from caffe_compat.layers.rpn.anchors import generate_anchors
from caffe_compat.layers.rpn.candidates import (
    are_large,
    best_apart,
    candidate_boxes,
    check_finite,
    foreground,
)


class ProposalLayer(Layer):
    """`python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" }`: RoIs from anchors, best first.

    bottom[0]: 1 x 2A x H x W probabilities, of no object and then of one, by anchor. bottom[1]: 1 x 4A x H x W
    deltas from the anchors to the boxes. bottom[2]: 1 x 3, the image's height, width (pixels) and scale.
    top[0]: R x 5 RoIs (0, x1, y1, x2, y2), inside the image. top[1], if any: R x 1, their probabilities.
    Boxes narrower or lower than min_size times the scale are left out, so that R may be 0; of the
    pre_nms_top_n best, those stay that overlap no better one above nms_thresh, up to post_nms_top_n (0 or
    less: all). With `normalized_deltas` the deltas are multiplied by the stds, and the means added. These five are by
    phase, and a configuration may set them. param_str gives feat_stride, ratios and scales. Raises LayerError for
    shapes that do not agree, and for bottoms that are not finite (in phase TEST: for im_info).
    Source: rpn.proposal_layer of py-faster-rcnn and of py-R-FCN, with the ratios of PVANET; Ren et al., Faster R-CNN
    (2015), section 3.
    """

    type = "ProposalLayer"
    origin = "py-faster-rcnn"
    bottom_count = (3, 3)
    top_count = (1, 2)
    no_gradient: tuple[int, ...] = (0, 1, 2)
    has_backward = False
    counts_rows = True

    pre_nms_top_n: dict[int, int] = {TRAIN: 12000, TEST: 6000}
    post_nms_top_n: dict[int, int] = {TRAIN: 2000, TEST: 300}
    nms_thresh: dict[int, float] = {TRAIN: 0.7, TEST: 0.7}
    min_size: dict[int, int] = {TRAIN: 16, TEST: 16}
    normalized_deltas: dict[int, bool] = {TRAIN: False, TEST: False}  # py-R-FCN's TRAIN.RPN_NORMALIZE_TARGETS
    normalize_means = (0.0, 0.0, 0.0, 0.0)
    normalize_stds = (0.1, 0.1, 0.2, 0.2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.stride, ratios, scales, _ = anchor_params(self)
        self.anchors = generate_anchors(ratios=ratios, scales=scales).astype(bottom[1].dtype)
        top[0].reshape(1, 5)
        for blob in top[1:]:
            blob.reshape(1, 1)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many RoIs there are is known after forward."""
        count, spatial = len(self.anchors), tuple(bottom[0].shape[2:])
        for i, expected in enumerate(((1, 2 * count, *spatial), (1, 4 * count, *spatial), (1, 3))):
            if bottom[i].shape != expected or len(spatial) != 2:
                raise self.error(
                    f"bottom[{i}] has the shape {bottom[i].shape}; expected, for one image and {count} "
                    f"anchors, {expected if len(spatial) == 2 else (1, 2 * count, 'height', 'width')}"
                )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_finite(self, bottom)
        height, width, scale = bottom[2].data[0]
        scores = foreground(bottom[0].data[0])
        boxes = candidate_boxes(self.anchors, self.stride, self._deltas(bottom[1]), height, width)
        large = are_large(boxes, self.min_size[self.phase] * scale)
        rows = np.flatnonzero(large & np.isfinite(scores))
        limits = self.pre_nms_top_n[self.phase], self.post_nms_top_n[self.phase], self.nms_thresh[self.phase]
        chosen = rows[best_apart(boxes[rows], scores[rows], *limits)]
        top[0].reshape(chosen.size, 5)
        top[0].data[:, 0] = 0
        top[0].data[:, 1:] = boxes[chosen]
        for blob in top[1:]:
            blob.reshape(chosen.size, 1)
            blob.data[:, 0] = scores[chosen]

    def _deltas(self, blob: Blob) -> np.ndarray:
        """4A x H x W: those of the blob or, where the net learns normalised ones, what they stand for."""
        deltas = blob.data[0]
        if not self.normalized_deltas[self.phase]:
            return deltas
        by_anchor = deltas.reshape(len(self.anchors), 4, *deltas.shape[1:]).copy()
        # rounded after each step, as in the reference
        by_anchor *= np.reshape(self.normalize_stds, (4, 1, 1))
        by_anchor += np.reshape(self.normalize_means, (4, 1, 1))
        return by_anchor.reshape(deltas.shape)
