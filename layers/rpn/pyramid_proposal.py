"""ProposalLayer of unsky's FPN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.common.param_str import pyramid_params
from caffe_compat.layers.rpn.candidates import (
    are_large,
    best_apart,
    candidate_boxes,
    check_finite,
    foreground,
)
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.layers.rpn.pyramid import LEVELS, check_level_shapes, level_anchors

NOTHING = (0, 0, 0, 16, 16)  # the RoI where no box is large enough


class PyramidProposalLayer(ProposalLayer):
    """`python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" }` of eleven bottoms: RoIs from the anchors
    of five levels of a pyramid, best first.

    bottom[0]: 1 x 3, the image's height, width (pixels) and scale. bottom[1] to [5]: 1 x 4A x H x W deltas of each
    level; bottom[6] to [10]: 1 x 2A x H x W probabilities. Places behind the image's end, by whole strides, do not
    count. Anchors: as PyramidAnchorTargetLayer; which boxes stay: as ProposalLayer, of all levels together, in TEST up
    to 1000. Where there are fewer, some are drawn once more, from numpy's global RandomState, up to that number.
    top[0]: R x 5 RoIs (0, x1, y1, x2, y2). param_str gives feat_stride of each level. Raises LayerError as
    ProposalLayer, and for a level smaller than the image.
    Source: rpn.proposal_layer of unsky/FPN, which stops where no box is large enough.
    """

    origin = "unsky's FPN"
    bottom_count = (2 * LEVELS + 1, 2 * LEVELS + 1)
    top_count = (1, 1)
    no_gradient = tuple(range(2 * LEVELS + 1))
    post_nms_top_n = {TRAIN: 2000, TEST: 1000}

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.strides, _ = pyramid_params(self, LEVELS)
        self.levels = level_anchors(self.strides, bottom[1].dtype)
        top[0].reshape(1, 5)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many RoIs there are is known after forward."""
        count, shapes = len(self.levels[0]), [blob.shape for blob in bottom[1:]]
        check_level_shapes(self, shapes[:LEVELS], 1, 4 * count)
        check_level_shapes(self, shapes[LEVELS:], 1 + LEVELS, 2 * count)
        if bottom[0].shape != (1, 3):
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; expected (1, 3): height, width, scale"
            )
        for i, (deltas, scores) in enumerate(zip(shapes, shapes[LEVELS:], strict=False)):
            if deltas[2:] != scores[2:]:
                raise self.error(f"level {i} has deltas of the shape {deltas}, but probabilities of {scores}")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_finite(self, bottom, im_info=0)
        levels = [self._level(bottom, i) for i in range(LEVELS)]
        boxes, scores = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        large = are_large(boxes, self.min_size[self.phase] * bottom[0].data[0, 2])
        rows = np.flatnonzero(large & np.isfinite(scores))
        most = self.post_nms_top_n[self.phase]
        limits = self.pre_nms_top_n[self.phase], most, self.nms_thresh[self.phase]
        chosen = rows[best_apart(boxes[rows], scores[rows], *limits)]
        if chosen.size < most and chosen.size:
            chosen = np.append(chosen, np.random.choice(chosen, size=most - chosen.size))
        top[0].reshape(max(chosen.size, most), 5)
        top[0].data[...] = NOTHING
        top[0].data[: chosen.size, 1:] = boxes[chosen]

    def _level(self, bottom: Sequence[Blob], level: int) -> tuple[np.ndarray, np.ndarray]:
        """The boxes of a level, n x 4, and their probabilities."""
        stride, (height, width, _) = self.strides[level], bottom[0].data[0]
        rows, columns = int(height / np.float32(stride)), int(width / np.float32(stride))
        deltas, scores = (bottom[i].data[0, :, :rows, :columns] for i in (1 + level, 1 + LEVELS + level))
        if deltas.shape[1:] != (rows, columns):
            raise self.error(
                f"bottom[{1 + level}] has the shape {bottom[1 + level].shape}; an image of {height:g} x {width:g} "
                f"pixels has {rows} x {columns} places with the stride {stride}"
            )
        return candidate_boxes(self.levels[level], stride, deltas, height, width), foreground(scores)
