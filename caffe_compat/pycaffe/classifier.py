"""Classifier: a net that says of what class images are. pycaffe's caffe.Classifier."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.net import Net
from caffe_compat.pycaffe.image_input import check_image_input, image_transformer, predict


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
        check_image_input(self)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims: Sequence[int] | np.ndarray = self.crop_dims if image_dims is None else image_dims

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """N x classes, for N images (height x width x channels each, of any sizes).

        oversample: the mean over 10 crops (`io.oversample`); else the crop in the centre alone.
        Raises ValueError where `inputs` is no list of images, for other numbers of channels than the net's input has,
        and where image_dims is smaller than the input.
        """
        return predict(
            self, self.transformer, inputs, self.image_dims, self.crop_dims, self.outputs[0], oversample
        )
