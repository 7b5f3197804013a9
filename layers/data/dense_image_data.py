"""DenseImageData: SegNet's images and classes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.data.image_pairs import BY_MESSAGE, ImagePairs, Pair
from caffe_compat.layers.data.transformer import FORKS_ONLY
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DenseImageDataParameter


@register("DenseImageData")
class DenseImageData(ImagePairs):
    """Images and the classes of their pixels, of the files that dense_image_data_param.source lists, two to a line.

    top[0]: the images, N x channels x height x width, their mean subtracted, times scale; top[1]: the grey values of
    the maps, N x 1 x height x width. new_height and new_width resize both, the maps by the nearest pixel. Of the maps
    every label_divide_factor-th row and column is taken, which is ENet's: top[1] is that much smaller. Raises
    LayerError, with the line of the list, for what cannot be read, for a map of another size, and for a factor that
    does not divide new_height and new_width.
    Source: DenseImageDataLayer of SegNet, which stops where there is a crop or a mirror.
    """

    reads = ("transform_param", "dense_image_data_param")
    origin = "SegNet"
    without_effect = tuple(
        f"dense_image_data_param.{name}" for name in ("mean_file", "mirror", "crop_width", "crop_height")
    )
    refused = {
        **FORKS_ONLY,
        "transform_param.crop_size": "SegNet's stops there; use ImageSegData, which crops both alike",
        "transform_param.mirror": "SegNet's stops there; use ImageSegData, which mirrors both alike",
        **BY_MESSAGE,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.source()
        self.label_step = step = param.label_divide_factor
        if step != 1 and (
            not step or not param.new_height or param.new_height % step or param.new_width % step
        ):
            raise self.error(
                f"label_divide_factor: {step} has to divide new_height and new_width; give such sizes"
            )
        super().setup(bottom, top)

    def source(self) -> DenseImageDataParameter:
        return self.layer_param.dense_image_data_param

    def read_labels(self, pair: Pair, image: np.ndarray) -> np.ndarray:
        return self.read_map(pair, cv2.INTER_NEAREST)
