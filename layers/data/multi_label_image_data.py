"""MultiLabelImageData."""

from __future__ import annotations

from caffe_compat.layers.data.image_data import Entry, ImageData, read_number_list
from caffe_compat.layers.registry import register


@register("MultiLabelImageData")
class MultiLabelImageData(ImageData):
    """ImageData with several numbers an image: a line of the list is a path without blanks, and as many numbers as the
    first line has.

    top[0]: N x channels x height x width; top[1]: N x numbers. The fork's distortions of faces are not there.
    Raises LayerError for another line. Source: MultiLabelImageDataLayer of happynear's Caffe.
    """

    origin = "happynear"
    top_count = (2, 2)
    refused = {**ImageData.refused, "image_data_param.label": "every line has numbers"}

    def read_entries(self) -> list[Entry]:
        return read_number_list(self, self.image_param.source)

    def open(self) -> None:
        super().open()
        self.label_shape = self.entries[0].label.shape
