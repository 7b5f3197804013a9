"""ImageLabelmapData: edges and salient objects."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.data.image_data import OF_IMAGE_DATA, ONLY_THERE
from caffe_compat.layers.data.image_pairs import BY_MESSAGE, ImagePairs, Pair
from caffe_compat.layers.data.refused import FORKS_ONLY, moved
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ImageDataParameter


@register("ImageLabelmapData")
class ImageLabelmapData(ImagePairs):
    """Images and grey maps, of the files that image_data_param.source lists, two to a line.

    top[0]: the images, N x channels x height x width, transformed; top[1]: the maps, N x 1 x height x width, cropped
    and mirrored alike: 1 from a grey of 128 on, else 0; with `normalize: false` the grey itself. new_height and
    new_width resize both. Raises LayerError, with the line of the list, for what cannot be read, and for a map of
    another size than its image. Source: ImageLabelmapDataLayer of s9xie's HED; normalize of RAS.
    """

    reads = ("transform_param", "image_data_param")
    origin = "HED"
    refused = {
        **FORKS_ONLY,
        **moved("image_data_param", "scale", "mean_file", "crop_size", "mirror"),
        **{f"image_data_param.{name}": ONLY_THERE for name in OF_IMAGE_DATA},
        "image_data_param.label_type": "it is for ImageSegData",
        "image_data_param.ignore_label": "it is for ImageSegData",
        **BY_MESSAGE,
    }

    def source(self) -> ImageDataParameter:
        return self.layer_param.image_data_param

    def read_labels(self, pair: Pair, image: np.ndarray) -> np.ndarray:
        grey, param = self.read_map(pair), self.source()
        return grey if param.HasField("normalize") and not param.normalize else (grey >= 128).astype(np.uint8)
