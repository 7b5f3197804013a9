"""PFMWriter."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.flow.file_writer import FileWriter
from caffe_compat.layers.registry import register


@register("PFMWriter")
class PFMWriter(FileWriter):
    """Writes disparities, with their sign turned round, to .pfm files (writer_param).

    bottom: N x 1 x H x W, or N x 3 x H x W. Each image becomes the file `file`, or FOLDER/PREFIX, the number of
    forwards before this one as seven digits, (image) as three where there are several, SUFFIX.pfm; the folder is made
    where there is none. Raises LayerError for other shapes, and an error where a file cannot be written.

    Source: PFMWriterLayer of lmb-freiburg/flownet2, whose nets have disparities below 0.
    """

    ending = "pfm"
    channels = (1, 3)

    def encoded(self, image: np.ndarray) -> bytes:
        channels, height, width = image.shape
        head = f"{'PF' if channels == 3 else 'Pf'}\n{width} {height}\n-1.0\n"
        return head.encode() + (-image[:, ::-1].transpose(1, 2, 0)).astype("<f4").tobytes()
