"""ImageSegData: semantic segmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.data.image_data import OF_IMAGE_DATA, ONLY_THERE
from caffe_compat.layers.data.image_pairs import BY_MESSAGE, ImagePairs, Pair
from caffe_compat.layers.data.refused import FORKS_ONLY, moved
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ImageDataParameter

TRANSFORMS = ("scale_factors", "crop_width", "crop_height")


@register("ImageSegData")
class ImageSegData(ImagePairs):
    """Images and the classes of their pixels, of the files that image_data_param.source lists.

    A line has the image and, after label_type: PIXEL, the path of its map (grey values are classes); IMAGE, one class
    for all pixels; NONE, nothing (all are ignore_label). top[0]: the images, N x channels x height x width; top[1]: the
    classes, N x 1 x height x width; top[2], if wanted: the size of each image, N x 1 x 1 x 2 (height, width), no larger
    than the batch's. Both are scaled by one of transform_param.scale_factors, padded to the crop with the mean and
    ignore_label, cropped (crop_size, or crop_height and crop_width) and mirrored. new_height and new_width resize both,
    the classes between pixels too, as the fork. Raises LayerError, with the line of the list, for what cannot be read,
    and for a map of another size. Source: ImageSegDataLayer of DeepLab v2.
    """

    reads = ("transform_param", "image_data_param")
    origin = "DeepLab"
    top_count = (2, 3)
    refused = {
        **{name: text for name, text in FORKS_ONLY.items() if name.partition(".")[2] not in TRANSFORMS},
        **moved("image_data_param", "scale", "mean_file", "crop_size", "mirror"),
        **{f"image_data_param.{name}": ONLY_THERE for name in OF_IMAGE_DATA},
        "image_data_param.normalize": "it is for ImageLabelmapData",
        "transform_param.mean_file": "give mean_value, one or one a channel",
        **BY_MESSAGE,
    }

    def source(self) -> ImageDataParameter:
        return self.layer_param.image_data_param

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.source().label_type == ImageDataParameter.PIXELML:
            raise self.error(
                "CASENet's files of one bit a class (label_type: PIXELML) are not read; put an Input layer in its "
                "place and write its blobs before each forward"
            )
        self.padding = self.source().ignore_label % 256  # as in 8 bits
        self.columns = 1 if self.source().label_type == ImageDataParameter.NONE else 2
        super().setup(bottom, top)

    def read_labels(self, pair: Pair, image: np.ndarray) -> np.ndarray:
        if self.source().label_type == ImageDataParameter.PIXEL:
            return self.read_map(pair)
        label = self.padding
        if self.source().label_type == ImageDataParameter.IMAGE:
            if not pair.labels.isdecimal() or int(pair.labels) > 255:
                raise self.error(f"{pair.place}: expected a class from 0 to 255, found '{pair.labels}'")
            label = int(pair.labels)
        return np.full(image.shape[:2], label, np.uint8)

    def shape_more(self, top: Sequence[Blob]) -> None:
        for sizes in top:
            sizes.reshape(self.source().batch_size, 1, 1, 2)

    def write_more(self, top: Sequence[Blob], i: int, image: np.ndarray) -> None:
        for sizes in top:
            sizes.data[i, 0, 0] = np.minimum(image.shape[1:], self.transformer.shape(image)[1:])
