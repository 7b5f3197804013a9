"""FLOWriter."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.files import replacing
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register

MAGIC = np.float32(202021.25)


@register("FLOWriter")
class FLOWriter(Layer):
    """Writes flow to .flo files (writer_param).

    bottom: N x 2 x H x W, how far right and how far down. Each image becomes the file `file`, or FOLDER/PREFIX, the
    number of forwards before this one as seven digits, (image) as three where there are several, SUFFIX.flo; the folder
    is made where there is none. Raises LayerError for other shapes, and an error where a file cannot be written.

    Source: FLOWriterLayer of lmb-freiburg/flownet2; the format is the Middlebury benchmark's.
    """

    reads = ("writer_param",)
    without_effect = ("writer_param.normalize", "writer_param.scale")
    top_count = (0, 0)
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.iteration = 0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] != 2:
            raise self.error(f"the bottom has the shape {shape}, expected N x 2 x H x W")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.writer_param
        for n, flow in enumerate(bottom[0].data):
            image = f"({n:03})" if bottom[0].num > 1 else ""
            name = f"{param.prefix}{self.iteration:07}{image}{param.suffix}.flo"
            self._write(param.file if param.HasField("file") else os.path.join(param.folder, name), flow)
        self.iteration += 1

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration = int(state["iteration"])

    def _write(self, path: str, flow: np.ndarray) -> None:
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        except OSError as error:
            raise self.error(f"cannot make the folder of '{path}': {error.strerror}") from error
        height, width = flow.shape[1:]
        with replacing(path) as temporary, open(temporary, "wb") as file:
            file.write(MAGIC.astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes())
            file.write(flow.transpose(1, 2, 0).astype("<f4").tobytes())
