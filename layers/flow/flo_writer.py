"""FLOWriter."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.flow.file_writer import FileWriter
from caffe_compat.layers.registry import register

MAGIC = 202021.25


@register("FLOWriter")
class FLOWriter(FileWriter):
    """Writes flow to .flo files (writer_param).

    bottom: N x 2 x H x W, how far right and how far down. Each image becomes the file `file`, or FOLDER/PREFIX, the
    number of forwards before this one as seven digits, (image) as three where there are several, SUFFIX.flo; the folder
    is made where there is none. Raises LayerError for other shapes, and an error where a file cannot be written.

    Source: FLOWriterLayer of lmb-freiburg/flownet2; the format is the Middlebury benchmark's.
    """

    ending = "flo"
    channels = (2,)

    def encoded(self, image: np.ndarray) -> bytes:
        sizes = np.array(image.shape[:0:-1], "<i4")
        return (
            np.array(MAGIC, "<f4").tobytes()
            + sizes.tobytes()
            + image.transpose(1, 2, 0).astype("<f4").tobytes()
        )
