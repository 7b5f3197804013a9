"""What FlowNet2's writers of files share: their names."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.files import replacing
from caffe_compat.layers.base import Layer


class FileWriter(Layer):
    """Each image of the bottom, N x C x H x W, becomes a file (writer_param).

    It is `file`, or FOLDER/PREFIX, the number of forwards before this one as seven digits, (image) as three where
    there are several, SUFFIX and the ending of the format; the folder is made where there is none. Raises LayerError
    for other shapes, and an error where a file cannot be written.
    """

    reads = ("writer_param",)
    without_effect = ("writer_param.normalize", "writer_param.scale")
    top_count = (0, 0)
    has_backward = False
    origin = "FlowNet2"
    ending = ""
    channels: tuple[int, ...] = ()

    def encoded(self, image: np.ndarray) -> bytes:
        """The file of an image, C x H x W."""
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.iteration = 0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4 or shape[1] not in self.channels or 0 in shape[2:]:
            wanted = " or ".join(map(str, self.channels))
            raise self.error(f"the bottom has the shape {shape}, expected N x {wanted} x H x W")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.writer_param
        for n, image in enumerate(bottom[0].data):
            number = f"({n:03})" if bottom[0].num > 1 else ""
            name = f"{param.prefix}{self.iteration:07}{number}{param.suffix}.{self.ending}"
            self._write(param.file if param.HasField("file") else os.path.join(param.folder, name), image)
        self.iteration += 1

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration = int(state["iteration"])

    def _write(self, path: str, image: np.ndarray) -> None:
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        except OSError as error:
            raise self.error(f"cannot make the folder of '{path}': {error.strerror}") from error
        with replacing(path) as temporary, open(temporary, "wb") as file:
            file.write(self.encoded(image))
