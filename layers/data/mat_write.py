"""MatWrite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.files import replacing
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.mat_files import scipy_io, stems
from caffe_compat.layers.registry import register


@register("MatWrite")
class MatWrite(Layer):
    """Writes its bottoms to .mat files (mat_write_param).

    At the first and then every `period`-th forward, bottom[i] becomes the array "data", W x H x C x N, of the file
    PREFIX NAME _blob_i.mat. NAME is iter_0, iter_1, ..., counted by forwards, or that line of the list `source`: its
    first word less `strip` characters at the end. Raises LayerError for more than 4 axes, and for more forwards than
    the list has lines. Needs the extra `mat`. Source: MatWriteLayer of DeepLab's fork of Caffe.
    """

    reads = ("mat_write_param",)
    bottom_count = (1, None)
    top_count = (0, 0)
    has_backward = False
    origin = "DeepLab"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mat_write_param
        if param.period < 1:
            raise self.error(f"period is {param.period}; it must be at least 1")
        self.names, self.iteration = stems(self, param), 0
        self.io = scipy_io(self)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in bottom:
            if len(blob.shape) > 4:
                raise self.error(f"a bottom has the shape {blob.shape}; more than 4 axes are not written")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.mat_write_param
        if self.iteration % param.period == 0:
            if self.names and self.iteration >= len(self.names):
                raise self.error(
                    f"'{param.source}' has {len(self.names)} names, this is forward {self.iteration + 1}"
                )
            name = self.names[self.iteration] if self.names else f"iter_{self.iteration}"
            for i, blob in enumerate(bottom):
                self._write(f"{param.prefix}{name}_blob_{i}.mat", blob)
        self.iteration += 1

    def get_state(self) -> dict[str, np.ndarray]:
        return {"iteration": np.array(self.iteration)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.iteration = int(state["iteration"])

    def _write(self, path: str, blob: Blob) -> None:
        array = blob.data.reshape(blob.num, blob.channels, blob.height, blob.width).T
        with replacing(path) as temporary, open(temporary, "wb") as file:
            self.io.savemat(file, {"data": array})
