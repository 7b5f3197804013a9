"""ProposalLayer of CTPN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.param_str import anchor_params
from caffe_compat.layers.rpn.anchors import anchors_on_map
from caffe_compat.layers.rpn.candidates import foreground

HEIGHTS = np.array((11, 16, 23, 33, 48, 68, 97, 139, 198, 283))
WIDTH = 16


class TextProposalLayer(Layer):
    """`python_param { module: "layers.text_proposal_layer" layer: "ProposalLayer" }`: a box of text for each anchor.

    bottom[0]: 1 x 20 x H x W probabilities, of no text and then of text, by anchor. bottom[1]: 1 x 20 x H x W: by
    anchor how far a box's centre is below the anchor's, in heights of the anchor, and the logarithm of how much
    higher it is. bottom[2]: 1 x 2 or more, the image's height and width (pixels). top[0]: 10 H W x 4 boxes (x1, y1,
    x2, y2), inside the image, by row, column and anchor; top[1]: 10 H W x 1, their probabilities of text. Anchors are
    16 pixels wide and of ten heights. param_str gives feat_stride. Raises LayerError for shapes that do not agree.
    Source: layers.text_proposal_layer of tianzhi0549's CTPN, as Python 2 runs it (half a height is a whole number);
    Tian and others, Detecting Text in Natural Image with Connectionist Text Proposal Network (2016).
    """

    type = "TextProposalLayer"
    origin = "CTPN"
    bottom_count = (3, 3)
    top_count = (2, 2)
    no_gradient = (0, 1, 2)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.stride, *_ = anchor_params(self)
        self.anchors = _anchors()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        spatial, count = tuple(bottom[0].shape[2:]), len(HEIGHTS)
        for blob in bottom[:2]:
            if blob.shape != (1, 2 * count, *spatial) or len(spatial) != 2:
                raise self.error(
                    f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; expected both times 1 x "
                    f"{2 * count} x height x width"
                )
        if len(bottom[2].shape) != 2 or bottom[2].shape[0] != 1 or bottom[2].shape[1] < 2:
            raise self.error(f"bottom[2] has the shape {bottom[2].shape}; expected (1, 2): height, width")
        boxes = count * spatial[0] * spatial[1]
        top[0].reshape(boxes, 4)
        top[1].reshape(boxes, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        anchors = anchors_on_map(self.anchors, self.stride, *bottom[0].shape[2:])
        down, growth = bottom[1].data[0].transpose(1, 2, 0).reshape(-1, 2).T
        heights = anchors[:, 3] - anchors[:, 1] + 1
        # rounded to float32 after each step, as there
        with np.errstate(over="ignore"):
            new = (np.exp(growth) * heights).astype(np.float32)
        upper = (down * heights + (anchors[:, 1] + anchors[:, 3]) / 2 - new / 2).astype(np.float32)
        height, width = bottom[2].data[0, :2]
        boxes = np.stack([anchors[:, 0], upper, anchors[:, 2], upper + new], axis=1)
        np.maximum(np.minimum(boxes, np.array([width - 1, height - 1] * 2)), 0, out=top[0].data)
        top[1].data[:, 0] = foreground(bottom[0].data[0])


def _anchors() -> np.ndarray:
    """Those of the map's first pixel, 10 x 4 float64 whole numbers, in the middle of a square of 16 pixels."""
    corners = np.array([np.full(len(HEIGHTS), WIDTH // 2), HEIGHTS // 2])
    middle = (WIDTH - 1) / 2
    return np.trunc([*(middle - corners), *(middle + corners)]).T.copy()
