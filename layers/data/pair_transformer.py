"""PairTransformer: what is done to an image, and alike to the map of its labels."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.data.image_size import resize
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.rng import Rng, caffe_rng


class PairTransformer(DataTransformer):
    """Scales, pads, crops and mirrors images and their maps of labels alike; subtracts a mean from the image and
    multiplies it by transform_param.scale.

    scale_factors: one, drawn, multiplies both sizes (labels by the nearest pixel). What a crop exceeds is the mean,
    and `padding` in the labels, below and on the right; with padding None that is an error. A crop lies anywhere in
    phase TRAIN, in the centre in TEST. Drawn are the mirror, the factor, and the crop's row and column, in this order.
    Source: DeepLab's TransformImgAndSeg; without factors and padding, LocTransform of s9xie's HED.
    """

    def __init__(self, layer: Layer, padding: int | None):
        param = layer.layer_param.transform_param
        if bool(param.crop_height) != bool(param.crop_width) or (param.crop_size and param.crop_height):
            raise layer.error("give crop_size, or both crop_height and crop_width")
        if any(not 0 < factor < 2**15 for factor in param.scale_factors):
            raise layer.error(
                f"scale_factors are {list(param.scale_factors)}; they must be above 0, and below 2^15"
            )
        self.padding = padding
        super().__init__(layer)

    @property
    def crop(self) -> tuple[int, int] | None:
        return super().crop or (
            (self.param.crop_height, self.param.crop_width) if self.param.crop_height else None
        )

    @property
    def mirrors(self) -> bool:
        """Whether every second image on average is mirrored."""
        return self.param.mirror

    @property
    def draws_place(self) -> bool:
        """Whether a crop lies anywhere."""
        return self.layer.phase == TRAIN

    def init_rand(self) -> None:
        draws = self.mirrors or (self.draws_place and self.crop) or self.param.scale_factors
        self.rng = Rng(caffe_rng().draw()) if draws else None

    def transform_pair(
        self, image: np.ndarray, labels: np.ndarray, out: np.ndarray, out_labels: np.ndarray, name: str
    ) -> None:
        """Write the transformed image and labels. image: channels x height x width; labels: height x width, uint8."""
        if labels.shape != image.shape[1:]:
            raise self.layer.error(f"{name} is {image.shape[1:]}, its labels {labels.shape} (height, width)")
        mean = self._mean_of(image, name)
        mirror = bool(self.mirrors and self._rand(2))
        pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
        pixels, labels = self._scaled(pixels, labels)
        pixels, labels = self._padded(pixels.astype(np.float64), labels, mean)
        fits = all(n >= size for n, size in zip(labels.shape, out_labels.shape, strict=True))
        if not fits or out.shape[1:] != (self.crop or labels.shape):
            raise self.layer.error(
                f"{name} is {labels.shape} (height, width) where the batch has {out.shape[1:]}; make all images alike "
                "(new_height and new_width), give a crop that fits, or set batch_size: 1"
            )
        y, x = self._place(labels.shape)
        rows, columns = slice(y, y + out.shape[1]), slice(x, x + out.shape[2])
        step = -1 if mirror else 1
        target = out[:, :, ::step]
        target[...] = pixels[rows, columns].transpose(2, 0, 1)
        if mean is not None:
            target -= mean[:, rows, columns] if self.param.HasField("mean_file") else mean
        target *= np.float32(self.param.scale)
        out_labels[:, ::step] = labels[rows, columns]

    def _scaled(self, pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        factors = self.param.scale_factors
        factor = np.float32(factors[self._rand(len(factors))] if factors else 1)
        if factor == 1:
            return pixels, labels
        height, width = (int(np.float32(n) * factor) for n in labels.shape)
        scaled = resize(self.layer, pixels, height, width, cv2.INTER_LINEAR)
        return scaled, resize(self.layer, labels[:, :, None], height, width, cv2.INTER_NEAREST)[:, :, 0]

    def _padded(
        self, pixels: np.ndarray, labels: np.ndarray, mean: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        below, right = (max(crop - n, 0) for crop, n in zip(self.crop or (0, 0), labels.shape, strict=True))
        if self.padding is None or not (below or right):
            return pixels, labels
        larger = np.zeros((pixels.shape[0] + below, pixels.shape[1] + right, pixels.shape[2]))
        larger += 0 if mean is None else mean.reshape(-1)
        larger[: pixels.shape[0], : pixels.shape[1]] = pixels
        return larger, np.pad(labels, ((0, below), (0, right)), constant_values=self.padding)

    def _place(self, shape: tuple[int, ...]) -> tuple[int, int]:
        if self.crop is None:
            return 0, 0
        room = [n - crop for n, crop in zip(shape, self.crop, strict=True)]
        if self.draws_place:
            return self._rand(room[0] + 1), self._rand(room[1] + 1)
        return room[0] // 2, room[1] // 2
