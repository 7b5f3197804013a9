"""What the layers of videos do to every clip: TSN's transforms, which C3D has a part of."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.rng import Rng, caffe_rng

DEFAULT_RATIOS = (1.0, 0.875, 0.75, 0.66)
BOTH = ("scale", "mirror", "crop_size", "mean_file", "mean_value")
HONOURED = (
    *BOTH,
    *("fix_crop", "more_fix_crop", "multi_scale", "scale_ratios", "max_distort", "is_flow"),
)


class VideoTransformer:
    """Crops clips, mirrors them, subtracts a mean and multiplies by scale.

    A clip is an array of ... x height x width, uint8; all that stands before the last two axes goes through the same.
    In phase TRAIN a crop lies anywhere or, with fix_crop, in one of five places (more_fix_crop: thirteen); in TEST in
    the centre. multi_scale crops another size in TRAIN, height and width each a scale_ratio of the shorter side, at
    most max_distort ratios apart, and resizes it to crop_size. is_flow: in a mirrored clip every second image, the
    first among them, shows the opposite direction, 255 - x. There is one mean_value, or one for each channel; they are
    repeated as often as it takes, each for the frames of its channel in a clip of channels x frames x height x width.

    Raises the layer's error for a clip that is smaller than crop_size, and for a mean that does not fit.
    Source: DataTransformer of TSN's fork of Caffe (yjxiong/caffe), and of C3D, with their random numbers.
    """

    def __init__(self, layer: Layer):
        self.layer = layer
        self.param = layer.layer_param.transform_param
        if self.param.HasField("mean_file") and self.param.mean_value:
            raise layer.error("transform_param has both mean_file and mean_value; keep one")
        self.mean_image = None
        if self.param.HasField("mean_file"):
            self.mean_image = read_binaryproto(layer, self.param.mean_file)
        self.init_rand()

    def new_batch(self) -> None:
        """A batch begins."""

    def init_rand(self) -> None:
        """Start the own stream of random numbers with one number of the global one, if any are needed."""
        crops = self.layer.phase == TRAIN and self.param.crop_size
        self.rng = Rng(caffe_rng().draw()) if self.param.mirror or crops else None

    def shape(self, clip: np.ndarray) -> tuple[int, ...]:
        """Of the clip when it is transformed."""
        crop = self.param.crop_size
        return (*clip.shape[:-2], crop, crop) if crop else clip.shape

    def transform(self, clip: np.ndarray, out: np.ndarray, name: str) -> None:
        """Write the transformed clip to `out`; `name` is for errors."""
        crop, size = self.param.crop_size, clip.shape[-2:]
        if crop > min(size):
            raise self.layer.error(f"{name} is {size[0]} x {size[1]}, smaller than crop_size {crop}")
        if out.shape != self.shape(clip):
            raise self.layer.error(
                f"{name} gives {self.shape(clip)} where the batch has {out.shape}; make all frames alike "
                "(new_height and new_width, or crop_size)"
            )
        mirror = bool(self.param.mirror and self._rand(2))
        window = self._window(size) if crop else (0, 0, *size)
        self._cut(clip, window, out)
        planes = out.reshape(-1, *out.shape[-2:])
        if mirror and self.param.is_flow:
            planes[::2] = 255 - planes[::2]
        self._subtract_mean(clip, window, out, name)
        planes *= np.float32(self.param.scale)
        if mirror:
            out[...] = out[..., ::-1].copy()

    @staticmethod
    def _cut(clip: np.ndarray, window: tuple[int, int, int, int], out: np.ndarray) -> None:
        y, x, height, width = window
        part = clip[..., y : y + height, x : x + width]
        if part.shape == out.shape:
            out[...] = part
            return
        images = part.reshape(-1, height, width)
        for image, target in zip(images, out.reshape(-1, *out.shape[-2:]), strict=True):
            target[...] = cv2.resize(image, target.shape[::-1])

    def _window(self, size: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Of a crop: y, x, height, width."""
        crop = self.param.crop_size
        if self.layer.phase != TRAIN:
            return (size[0] - crop) // 2, (size[1] - crop) // 2, crop, crop
        height = width = crop
        if self.param.multi_scale:
            crops = self._sizes(min(size))
            height, width = crops[self._rand(len(crops))]
        if self.param.fix_crop:
            corners = self._corners((size[0] - height) // 4, (size[1] - width) // 4)
            return (*corners[self._rand(len(corners))], height, width)
        return self._rand(size[0] - height + 1), self._rand(size[1] - width + 1), height, width

    def _sizes(self, side: int) -> list[tuple[int, int]]:
        crop, ratios = self.param.crop_size, [*self.param.scale_ratios] or DEFAULT_RATIOS
        if self.param.max_distort < 0:
            raise self.layer.error(f"max_distort is {self.param.max_distort}; it must be at least 0")
        if not all(0 < ratio <= 1 for ratio in ratios):
            raise self.layer.error(f"scale_ratios are {ratios}; they must be greater than 0, and 1 at most")
        scaled = [int(np.float32(side) * np.float32(ratio)) for ratio in ratios]
        near = [crop if abs(size - crop) < 3 else size for size in scaled]
        if min(near) < 1 or max(near) > side:
            raise self.layer.error(f"scale_ratios {ratios} of a frame's shorter side {side} make no crop")
        return [
            (h, w)
            for i, h in enumerate(near)
            for j, w in enumerate(near)
            if abs(i - j) <= self.param.max_distort
        ]

    def _corners(self, dy: int, dx: int) -> list[tuple[int, int]]:
        """In the original's order, in quarters of the way."""
        quarters = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
        if self.param.more_fix_crop:
            quarters += [(0, 2), (4, 2), (2, 0), (2, 4), (1, 1), (1, 3), (3, 1), (3, 3)]
        return [(y * dy, x * dx) for y, x in quarters]

    def _subtract_mean(
        self, clip: np.ndarray, window: tuple[int, int, int, int], out: np.ndarray, name: str
    ) -> None:
        if self.mean_image is not None:
            if self.mean_image.size != clip.size or self.mean_image.shape[-2:] != clip.shape[-2:]:
                raise self.layer.error(
                    f"the mean '{self.param.mean_file}' has the shape {self.mean_image.shape}, {name} {clip.shape}"
                )
            y, x = (0, 0) if self.param.multi_scale else window[:2]
            height, width = out.shape[-2:]
            out -= self.mean_image.reshape(clip.shape)[..., y : y + height, x : x + width]
        elif self.param.mean_value:
            values = np.array(self.param.mean_value, np.float32)
            if len(clip) % len(values):
                raise self.layer.error(
                    f"there are {len(values)} mean_values, {name} has {len(clip)} channels; give one, or one a channel"
                )
            means = np.tile(values, len(clip) // len(values))
            out -= means.reshape(-1, *[1] * (out.ndim - 1))

    def _rand(self, n: int) -> int:
        assert self.rng is not None
        return self.rng.draw() % n

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.rng is None else rng_state("transform", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        if self.rng is not None:
            set_rng_state("transform", self.rng, state)
