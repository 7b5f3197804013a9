"""DenseImageData: SegNet's images and classes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.data.image_pairs import BY_MESSAGE, ImagePairs, Pair
from caffe_compat.layers.data.pair_transformer import PairTransformer
from caffe_compat.layers.data.refused import FORKS_ONLY
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DenseImageDataParameter


class OwnTransformer(PairTransformer):
    """A PairTransformer that crops and mirrors as dense_image_data_param says; a crop lies anywhere, in TEST too."""

    draws_place = True

    @property
    def _own(self) -> DenseImageDataParameter:
        return self.layer.layer_param.dense_image_data_param

    @property
    def mirrors(self) -> bool:
        return self._own.mirror

    @property
    def crop(self) -> tuple[int, int] | None:
        return (self._own.crop_height, self._own.crop_width) if self._own.crop_height else None


@register("DenseImageData")
class DenseImageData(ImagePairs):
    """Images and the classes of their pixels, of the files that dense_image_data_param.source lists, two to a line.

    top[0]: the images, N x channels x height x width, their mean subtracted, times scale; top[1]: the grey values of
    the maps, N x 1 x height x width. new_height and new_width resize both, the maps by the nearest pixel. mirror flips
    every second pair on average; crop_height and crop_width cut both at one place anywhere, in each phase. Of the maps
    every label_divide_factor-th row and column is taken, which is ENet's: top[1] is that much smaller. Raises
    LayerError, with the line of the list, for what cannot be read, for a map of another size, for an image smaller
    than the crop, for a factor that does not divide new_height and new_width, and for a factor and a crop.
    Source: DenseImageDataLayer of SegNet and ENet; the former stops where transform_param has a crop or a mirror.
    """

    reads = ("transform_param", "dense_image_data_param")
    origin = "SegNet"
    without_effect = ("dense_image_data_param.mean_file",)
    refused = {
        **FORKS_ONLY,
        "transform_param.crop_size": "write crop_height and crop_width of dense_image_data_param",
        "transform_param.mirror": "write mirror of dense_image_data_param",
        **BY_MESSAGE,
    }
    transformer_class = OwnTransformer

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.source()
        self.label_step = step = param.label_divide_factor
        if bool(param.crop_height) != bool(param.crop_width):
            raise self.error("crop_height and crop_width go together; give both or none")
        if step != 1 and (
            not step or not param.new_height or param.new_height % step or param.new_width % step
        ):
            raise self.error(
                f"label_divide_factor: {step} has to divide new_height and new_width; give such sizes"
            )
        if step != 1 and param.crop_height:
            raise self.error(f"label_divide_factor: {step} and a crop do not go together; remove one")
        super().setup(bottom, top)

    def source(self) -> DenseImageDataParameter:
        return self.layer_param.dense_image_data_param

    def read_labels(self, pair: Pair, image: np.ndarray) -> np.ndarray:
        step = self.label_step
        labels = self.read_map(pair, cv2.INTER_NEAREST)[::step, ::step]
        return labels.repeat(step, axis=0).repeat(step, axis=1)  # mirrored, it has the same rows and columns
