"""Writes blobs to an HDF5 file."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.files import check_writable, replacing
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.layers.registry import register


@register("HDF5Output")
class HDF5Output(Layer):
    """Writes bottom[0] as dataset "data" and bottom[1] as "label" to the file hdf5_output_param.file_name.

    Both are float32 with the four legacy axes, num x channels x height x width. An older file is replaced at the
    first forward, at once. Raises LayerError where the file cannot be written, where the bottoms have not as many
    rows or more than 4 axes, and at a second forward, which has no place in the file (in Caffe too).
    Source: Caffe's HDF5OutputLayer.
    """

    reads = ("hdf5_output_param",)
    bottom_count = (2, 2)
    top_count = (0, 0)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.path = self.layer_param.hdf5_output_param.file_name
        if not self.path:
            raise self.error("hdf5_output_param names no file; give file_name")
        check_writable(self.path)
        self.h5py = optional_import(self.error, "h5py", "h5")
        self.written = False

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if max(len(blob.shape) for blob in bottom) > 4:
            raise self.error(
                f"the bottoms have the shapes {bottom[0].shape} and {bottom[1].shape}; more than 4 axes are not written"
            )
        if bottom[0].num != bottom[1].num:
            raise self.error(
                f"the bottoms have {bottom[0].num} and {bottom[1].num} rows; both must have as many"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.written:
            raise self.error(
                f"'{self.path}' has the data of the first forward and takes no second; write all in one batch"
            )
        with replacing(self.path) as temporary, self.h5py.File(temporary, "w") as file:
            for name, blob in zip(("data", "label"), bottom, strict=True):
                file[name] = blob.data.reshape(blob.num, blob.channels, blob.height, blob.width)
        self.written = True
