"""DataTransformer: what the data layers do to every image."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.rng import Rng, caffe_rng


class Placed(NamedTuple):
    """Where a transformed image lies in the resized one, whose size is height x width: what its objects need."""

    mirrored: bool
    y: int
    x: int
    height: int
    width: int


class DataTransformer:
    """Subtracts a mean, multiplies by scale, crops and mirrors, after the layer's transform_param.

    In phase TRAIN a crop lies anywhere, in TEST in the centre; mirror flips every second image on average in
    both. Images are arrays of channels x height x width, uint8 or float32. A crop takes the same part of the
    mean image as of the image. Raises LayerError for a mean that does not fit, both means, and both of force_color
    and force_gray. The layers refuse `FORKS_ONLY`, and `moved` their own params of these names.
    Source: Caffe's DataTransformer, with its random numbers.
    """

    def __init__(self, layer: Layer):
        self.layer = layer
        self.param = layer.layer_param.transform_param
        if self.param.HasField("mean_file") and self.param.mean_value:
            raise layer.error("transform_param has both mean_file and mean_value; keep one")
        if self.param.force_color and self.param.force_gray:
            raise layer.error("transform_param has both force_color and force_gray; keep one")
        self.mean = self._read_mean()
        self.init_rand()

    @property
    def crop(self) -> tuple[int, int] | None:
        """Height and width of a crop."""
        return (self.param.crop_size, self.param.crop_size) if self.param.crop_size else None

    def start_thread(self) -> None:
        """Draw the number that Caffe seeds its prefetch thread with."""
        caffe_rng().draw()

    def new_batch(self) -> None:
        """A batch begins."""

    def init_rand(self) -> None:
        """Start the own stream of random numbers with one number of the global one, if any are needed."""
        crops = self.layer.phase == TRAIN and self.crop
        self.rng = Rng(caffe_rng().draw()) if self.param.mirror or crops else None

    def shape(self, image: np.ndarray) -> tuple[int, ...]:
        """Of the image when it is transformed: channels, height, width."""
        return len(image), *(self.crop or image.shape[1:])

    def changed(self, image: np.ndarray) -> np.ndarray:
        """The image that is cropped."""
        return image

    def transform(self, image: np.ndarray, out: np.ndarray, name: str) -> Placed:
        """Write the transformed image to `out`; `name` is for errors."""
        mirror = bool(self.param.mirror and self._rand(2))
        if out.shape != self.shape(image):
            raise self.layer.error(
                f"{name} gives {self.shape(image)} where the batch has {out.shape} (channels, height, width); "
                "make all images alike (new_height and new_width, or crop_size), or set batch_size: 1"
            )
        image = self.changed(image)
        _, height, width = image.shape
        if self.crop and (self.crop[0] > height or self.crop[1] > width):
            size = f"crop_size {self.crop[0]}" if self.param.crop_size else f"the crop {self.crop}"
            raise self.layer.error(f"{name} is {height} x {width}, smaller than {size}")
        mean = self._mean_of(image, name)
        y, x = self._corner(height, width) if self.crop else (0, 0)
        window = np.s_[:, y : y + out.shape[1], x : x + out.shape[2]]
        target = out[:, :, ::-1] if mirror else out
        target[...] = image[window]
        if mean is not None:
            target -= mean[window] if self.param.HasField("mean_file") else mean
        target *= np.float32(self.param.scale)
        return Placed(mirror, y, x, height, width)

    @property
    def draws_alike(self) -> bool:
        """Whether as many numbers are drawn for each image, so that `leave_out` can."""
        return True

    def leave_out(self) -> None:
        """Draw what `transform` draws for an image."""
        crops = self.layer.phase == TRAIN and self.crop
        for _ in range(bool(self.param.mirror) + 2 * bool(crops)):
            self._rand(1)

    def get_state(self) -> dict[str, np.ndarray]:
        return {} if self.rng is None else rng_state("transform", self.rng)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        if self.rng is not None:
            set_rng_state("transform", self.rng, state)

    def _read_mean(self) -> np.ndarray | None:
        if self.param.HasField("mean_file"):
            mean = read_binaryproto(self.layer, self.param.mean_file)
            return mean.reshape(mean.shape[-3:]) if mean.ndim == 4 and len(mean) == 1 else mean
        values = np.array(self.param.mean_value, np.float32)
        return values.reshape(-1, 1, 1) if len(values) else None

    def _mean_of(self, image: np.ndarray, name: str) -> np.ndarray | None:
        mean = self.mean
        if mean is not None and self.param.HasField("mean_file"):
            if mean.shape != image.shape:
                raise self.layer.error(
                    f"the mean image '{self.param.mean_file}' has the shape {mean.shape}, {name} {image.shape}"
                )
        elif mean is not None and len(mean) not in (1, len(image)):
            raise self.layer.error(
                f"there are {len(mean)} mean_values, {name} has {len(image)} channels; give one, or one a channel"
            )
        return mean

    def _corner(self, height: int, width: int) -> tuple[int, int]:
        assert self.crop is not None
        down, across = height - self.crop[0], width - self.crop[1]
        if self.layer.phase == TRAIN:
            return self._rand(down + 1), self._rand(across + 1)
        return down // 2, across // 2

    def _rand(self, n: int) -> int:
        assert self.rng is not None
        return self.rng.draw() % n
