"""What SegData does to every image and its map of labels."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.rng import Rng, caffe_rng

HONOURED = (
    *("scale", "mirror", "mean_value", "scale_ratios", "stride"),
    *("upper_size", "upper_height", "upper_width"),
)


class SegTransformer:
    """Scales by a random ratio between the two of scale_ratios, crops somewhere, and mirrors both alike.

    Height and width of the crop are multiples of stride, at most upper_size (or upper_height and upper_width). The
    image is scaled with bilinear weights, less its mean_value and times scale; of the labels the nearest are taken.

    Source: DataTransformer of TSN's fork of Caffe (yjxiong/caffe), with its random numbers.
    """

    def __init__(self, layer: Layer):
        self.layer = layer
        self.param = param = layer.layer_param.transform_param
        if param.stride < 1 or len(param.scale_ratios) not in (0, 2):
            raise layer.error("transform_param needs a stride of at least 1, and two scale_ratios or none")
        ratios = [np.float32(ratio) for ratio in param.scale_ratios] or [np.float32(1)] * 2
        if not 0 < ratios[0] <= ratios[1] <= 100:
            raise layer.error(
                f"scale_ratios are {param.scale_ratios}; the first must be positive, the second not less"
            )
        self.lowest, self.ratios = ratios[0], int(float(ratios[1] - ratios[0]) * 1000) + 1
        self.init_rand()

    def init_rand(self) -> None:
        """Start the own stream of random numbers with one number of the global one."""
        self.rng = Rng(caffe_rng().draw())

    def crop_size(self, height: int, width: int) -> tuple[int, int]:
        """Of an image of this size. Raises LayerError where there is nothing left."""
        param, stride = self.param, self.param.stride
        crop = height // stride * stride, width // stride * stride
        if param.HasField("upper_size"):
            crop = min(crop[0], param.upper_size), min(crop[1], param.upper_size)
        elif param.HasField("upper_height") and param.HasField("upper_width"):
            crop = min(crop[0], param.upper_height), min(crop[1], param.upper_width)
        if min(crop) < 1:
            raise self.layer.error(
                f"an image of {height} x {width} has no crop of {crop}, with stride {stride}"
            )
        return crop

    def transform(self, image: np.ndarray, labels: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """image: height x width x 3, labels: height x width. Returns 3 x H x W and H x W, float32."""
        mirror = bool(self.param.mirror and self._rand(2))
        ratio = np.float32(self._rand(self.ratios) / 1000 + float(self.lowest))
        height, width = (int(float(np.float32(size) * ratio) + 0.5) for size in labels.shape)
        crop = self.crop_size(height, width)
        y, x = self._rand(height - crop[0] + 1), self._rand(width - crop[1] + 1)
        part = np.s_[y : y + crop[0], x : x + crop[1]]
        data = cv2.resize(image, (width, height))[part].transpose(2, 0, 1).astype(np.float32)
        truth = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)[part].astype(np.float32)
        data -= self._mean(len(data), name)
        data *= np.float32(self.param.scale)
        return (data[..., ::-1], truth[..., ::-1]) if mirror else (data, truth)

    def _mean(self, channels: int, name: str) -> np.ndarray:
        values = np.array(self.param.mean_value or [0], np.float32)
        if len(values) not in (1, channels):
            raise self.layer.error(
                f"there are {len(values)} mean_values, {name} has {channels} channels; give one, or one a channel"
            )
        return values.reshape(-1, 1, 1)

    def _rand(self, n: int) -> int:
        return self.rng.draw() % n

    def get_state(self) -> dict[str, np.ndarray]:
        return rng_state("transform", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        set_rng_state("transform", self.rng, state)
