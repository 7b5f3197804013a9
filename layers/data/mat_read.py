"""MatRead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.mat_files import read_blob, stems
from caffe_compat.layers.registry import register


@register("MatRead")
class MatRead(Layer):
    """Blobs from .mat files, as MatWrite writes them (mat_read_param).

    top[i]: batch_size x C x H x W, one file an image: PREFIX NAME _blob_i.mat, NAME the next of the list `source`, each
    the first word of its line less `strip` characters at the end, and again from the start after the last; without a
    source iter_0, iter_1 and so on. A file has an array "data", W x H x C x 1. Raises LayerError for files that cannot
    be read, that hold more than one image, or one of another shape than the first.

    Source: MatReadLayer of DeepLab's fork of Caffe, which without a source stops at the setup.
    """

    reads = ("mat_read_param",)
    bottom_count = (0, 0)
    top_count = (1, None)
    has_backward = False
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mat_read_param
        if param.batch_size < 1:
            raise self.error(f"batch_size is {param.batch_size}; it must be at least 1")
        self.names, self.iteration = stems(self, param), 0
        for i, blob in enumerate(top):
            blob.reshape(param.batch_size, *self._image(i).shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for n in range(self.layer_param.mat_read_param.batch_size):
            for i, blob in enumerate(top):
                image = self._image(i)
                if image.shape != blob.shape[1:]:
                    raise self.error(
                        f"'{self._path(i)}' holds the shape {image.shape}, the first one {blob.shape[1:]}"
                    )
                blob.data[n] = image
            self.iteration += 1

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration = int(state["iteration"])

    def _path(self, top: int) -> str:
        name = self.names[self.iteration % len(self.names)] if self.names else f"iter_{self.iteration}"
        return f"{self.layer_param.mat_read_param.prefix}{name}_blob_{top}.mat"

    def _image(self, top: int) -> np.ndarray:
        blob = read_blob(self, self._path(top))
        if len(blob) != 1:
            raise self.error(f"'{self._path(top)}' holds {len(blob)} images; expected one")
        return blob[0]
