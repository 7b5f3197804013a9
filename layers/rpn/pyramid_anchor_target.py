"""AnchorTargetLayer of unsky's FPN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.param_str import pyramid_params
from caffe_compat.layers.rpn.anchor_target import AnchorTargetLayer, everywhere
from caffe_compat.layers.rpn.anchors import anchors_on_map, boxes_with_class
from caffe_compat.layers.rpn.pyramid import LEVELS, check_level_shapes, level_anchors


class PyramidAnchorTargetLayer(AnchorTargetLayer):
    """`python_param { module: "rpn.anchor_target_layer" layer: "AnchorTargetLayer" }` of seven bottoms: what an RPN on
    five levels of a pyramid learns.

    bottom[0] to [4]: 1 x 2A x H x W each, whose shapes alone count; bottom[5]: gt_boxes, G x 5 (x1 y1 x2 y2 class);
    bottom[6]: 1 x 3, the image's height and width (pixels), and scale. The A = 6 anchors of a level have 16 and 32
    times its stride, and the ratios 0.5, 1 and 2. top[0]: 1 x n labels, by level, anchor, row and column; top[1] to
    [3]: 1 x 4A x places of all levels: deltas, not 0 for objects only, inside weights, outside weights. Who is an
    object and who counts: as AnchorTargetLayer, of all levels together; deltas are never normalized. param_str gives
    feat_stride of each level and allowed_border. Raises LayerError as that does.
    Source: rpn.anchor_target_layer of unsky/FPN.
    """

    origin = "unsky's FPN"
    bottom_count = (LEVELS + 2, LEVELS + 2)
    no_gradient = tuple(range(LEVELS + 2))

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.strides, self.border = pyramid_params(self, LEVELS)
        self.levels = level_anchors(self.strides)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        count = len(self.levels[0])
        check_level_shapes(self, [blob.shape for blob in bottom[:LEVELS]], 0, 2 * count)
        if bottom[-1].shape != (1, 3):
            raise self.error(
                f"bottom[{LEVELS + 1}] has the shape {bottom[-1].shape}; expected (1, 3): height, width, scale"
            )
        places = sum(blob.height * blob.width for blob in bottom[:LEVELS])
        top[0].reshape(1, count * places)
        for blob in top[1:]:
            blob.reshape(1, 4 * count, places)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        sizes = [blob.shape[2:] for blob in bottom[:LEVELS]]
        anchors = [
            anchors_on_map(own, stride, *size)
            for own, stride, size in zip(self.levels, self.strides, sizes, strict=True)
        ]
        together = np.concatenate(anchors)
        inside = self._inside(together, bottom[-1].data[0])
        boxes = boxes_with_class(self, bottom[-2])[:, :4]
        labels, deltas, *weights = self._targets(together[inside], boxes)
        values = labels, np.where(labels == 1, deltas, 0), *weights
        ends = np.cumsum([len(own) for own in anchors])[:-1]
        for blob, value in zip(top, everywhere(len(together), inside, values, top[0].dtype), strict=True):
            channels = len(self.levels[0]) * value.shape[1]
            on_maps = [
                own.reshape(*size, channels)
                .transpose(2, 0, 1)
                .reshape(channels if blob is not top[0] else 1, -1)
                for own, size in zip(np.split(value, ends), sizes, strict=True)
            ]
            blob.data[...] = np.concatenate(on_maps, axis=1).reshape(blob.shape)

    def _normalized(self, deltas: np.ndarray) -> np.ndarray:
        return deltas  # which is what its ProposalLayer takes them for
