"""ConsistencyLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.loss import LossLayer, loss_weight
from caffe_compat.layers.registry import register


@register("ConsistencyLoss")
class ConsistencyLoss(LossLayer):
    """How far joints in two frames are from where the flow between these moves them.

    bottom[0]: N x 4J x ... (4 axes at most): of each joint x, y in the first frame, x, y in the second. bottom[1]: the
    flow, N x 2 x H x W (x, y). top[0]: the sum of |first + mean flow - second| of x and of y, over N. The mean is of
    the flow at both places, cut to whole numbers inside the flow; that of y takes the second frame's at the first's y.
    The gradient is the sign. Raises LayerError for other shapes. Source: ConsistencyLossLayer of qxcv's Caffe.
    """

    reads = ()
    origin = "qxcv"

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape, flow = bottom[0].shape, bottom[1].shape
        if not 2 <= len(shape) <= 4 or shape[1] % 4 or len(flow) != 4 or flow[1] != 2 or not bottom[1].count:
            raise self.error(
                f"the bottoms have the shapes {shape} and {flow}; expected N x 4J and N x 2 x H x W"
            )
        self.view = shape[0], shape[1] // 4, 4, bottom[0].count // max(shape[0] * shape[1], 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        joints, flow = bottom[0].data.reshape(self.view), bottom[1].data
        x1, y1, x2, y2 = (joints[:, :, i] for i in range(4))
        height, width = flow.shape[2:]
        image = np.arange(len(flow))[:, None, None]
        column1, column2 = _inside(x1, width), _inside(x2, width)
        row1, row2 = _inside(y1, height), _inside(y2, height)
        flow_x = (flow[image, 0, row1, column1] + flow[image, 0, row2, column2]) / 2
        flow_y = (flow[image, 1, row1, column1] + flow[image, 1, row1, column2]) / 2
        x, y = x1 + flow_x - x2, y1 + flow_y - y2
        top[0].data[...] = (np.abs(x).sum() + np.abs(y).sum()) / len(flow)
        self.signs = np.stack([np.sign(x), np.sign(y), -np.sign(x), -np.sign(y)], axis=2)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            scale = self.signs.dtype.type(loss_weight(top) / len(self.signs))
            np.multiply(self.signs, scale, out=bottom[0].diff.reshape(self.view))


def _inside(places: np.ndarray, size: int) -> np.ndarray:
    return np.nan_to_num(np.clip(places, 0, size - 1)).astype(np.intp)
