"""ImageFloatData."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from caffe_compat.blob import Blob
from caffe_compat.layers.data.image_data import Entry, ImageData, read_number_list
from caffe_compat.layers.registry import register

NOT_KNOWN = "what the fork does to the label then is not known here"


@register("ImageFloatData")
class ImageFloatData(ImageData):
    """ImageData with image_float_data_param.label_dim numbers an image, such as points of a face.

    A line of the list is a path without blanks, and the numbers; with hard_sample one more, its weight. top[0]: N x
    channels x height x width; top[1]: N x label_dim; top[2], with hard_sample: N. Raises LayerError for another line,
    for label_dim below 1, and for another number of tops. Source: ImageFloatDataLayer of goodluckcwl's Caffe.
    """

    reads = ("transform_param", "image_data_param", "image_float_data_param")
    origin = "goodluckcwl"
    top_count = (2, 3)
    without_effect = (
        *ImageData.without_effect,
        "image_float_data_param.is_regression",
        "image_float_data_param.heatmap_dir",
    )
    refused = {
        **ImageData.refused,
        **{
            f"transform_param.{name}": NOT_KNOWN
            for name in ("resize_param", "noise_param", "crop_h", "crop_w", "crop_size", "mirror")
        },
        "image_data_param.label": "every line has numbers",
        "image_float_data_param.with_heatmap": "concatenate an ImageData of the heat maps",
    }

    def open(self) -> None:
        param = self.layer_param.image_float_data_param
        if param.label_dim < 1:
            raise self.error(f"image_float_data_param.label_dim is {param.label_dim}; it must be at least 1")
        self.label_shape = (param.label_dim,)
        super().open()

    def read_entries(self) -> list[Entry]:
        param = self.layer_param.image_float_data_param
        return read_number_list(self, self.image_param.source, param.label_dim + param.hard_sample)

    def check_tops(self, top: Sequence[Blob]) -> None:
        if len(top) != 2 + self.layer_param.image_float_data_param.hard_sample:
            raise self.error(f"has {len(top)} tops; expected images, labels, and with hard_sample weights")

    def shape_labels(self, top: Sequence[Blob]) -> None:
        super().shape_labels(top[:2])
        for weights in top[2:]:
            weights.reshape(self.batch_size)

    def write_labels(self, top: Sequence[Blob], i: int, label: Any) -> None:
        top[1].data[i] = label[: self.label_shape[0]]
        for weights in top[2:]:
            weights.data[i] = label[-1]
