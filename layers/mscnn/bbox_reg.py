"""bbox_reg_param: how the offsets of boxes are normalized."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer


class BBoxReg:
    """Offsets (dx, dy, dw, dh, on the last axis) minus bbox_mean, divided by bbox_std, and back.

    cls_aware: whether each class has offsets of its own; else there are two times four, of which the second count.
    Raises LayerError unless there are four means and four positive stds, or none of both.
    """

    def __init__(self, layer: Layer):
        param = layer.layer_param.bbox_reg_param
        self.cls_aware = param.cls_aware
        counts = len(param.bbox_mean), len(param.bbox_std)
        if counts not in ((0, 0), (4, 4)):
            raise layer.error(
                f"bbox_reg_param has {counts[0]} bbox_mean and {counts[1]} bbox_std; give four of each, or none"
            )
        self.mean = np.array(param.bbox_mean or [0] * 4, np.float32)
        self.std = np.array(param.bbox_std or [1] * 4, np.float32)
        if not (self.std > 0).all():
            raise layer.error(f"bbox_std is {self.std.tolist()}; each must be above 0")

    def normalized(self, offsets: np.ndarray) -> np.ndarray:
        return (offsets - self.mean) / self.std

    def restored(self, offsets: np.ndarray) -> np.ndarray:
        return offsets * self.std + self.mean
