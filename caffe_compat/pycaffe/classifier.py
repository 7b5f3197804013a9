"""Classifier: a net that says of what class images are. pycaffe's caffe.Classifier."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.net import Net
from caffe_compat.pycaffe import io


class Classifier(Net):
    """A net of one image input, with the `transformer` (io.Transformer) that makes images its input.

    image_dims: (height, width) to resize images to before they are cropped to the input's size; None: that size.
    mean, input_scale, raw_scale, channel_swap: as Transformer's `set_` methods take them.
    """

    def __init__(
        self,
        model_file: str | PathLike[str],
        pretrained_file: str | PathLike[str] | None,
        image_dims: Sequence[int] | None = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims: Sequence[int] | np.ndarray = self.crop_dims if image_dims is None else image_dims

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """N x classes, for N images (height x width x channels each, of any sizes).

        oversample: the mean over 10 crops (`io.oversample`); else the crop in the centre alone.
        """
        images = np.stack([io.resize_image(image, self.image_dims) for image in inputs])
        if oversample:
            images = io.oversample(images, self.crop_dims)
        else:
            (y, x), (height, width) = self._centre(), self.crop_dims
            images = images[:, y : y + height, x : x + width]
        name = self.inputs[0]
        data = np.stack([self.transformer.preprocess(name, image) for image in images])
        scores = self.forward_all(None, **{name: data})[self.outputs[0]]
        return scores.reshape(len(inputs), 10, -1).mean(1) if oversample else scores

    def _centre(self) -> tuple[int, int]:
        y, x = ((np.array(self.image_dims) - self.crop_dims) / 2).astype(int)
        return y, x


def image_transformer(
    net: Net,
    mean: np.ndarray | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> io.Transformer:
    """Of images to the first input of a net."""
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer
