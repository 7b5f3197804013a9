"""Images from an LMDB database."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.data.datums import pixels, read_datum
from caffe_compat.layers.data.image_batches import ImageBatches
from caffe_compat.layers.data.image_transformer import REFUSED, WITHOUT_EFFECT
from caffe_compat.layers.data.records import Records
from caffe_compat.layers.data.refused import OF_BOX_DATA, OF_CUSTOM_DATA, moved
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DataParameter, Datum
from caffe_compat.rng import caffe_rng


@register("Data")
class Data(ImageBatches):
    """The Datums of the LMDB data_param.source, in the order of their keys: images, and with two tops labels.

    A Datum holds channels x height x width numbers (bytes or float_data), or an image file (encoded), which is
    decoded as it is, or in colour or grey as transform_param's force_color and force_gray say. rand_skip starts up
    to that many images behind the first. Raises LayerError for LevelDB, for a database that cannot be opened or
    is empty, and, with its key, for a Datum that cannot be read.
    Source: Caffe's DataLayer; rand_skip as in those before 2015, later ones ignore it.
    """

    leaves_out = True
    reads: tuple[str, ...] = ("transform_param", "data_param")
    top_count = (1, 2)
    without_effect = ("data_param.prefetch", *WITHOUT_EFFECT)
    refused = {
        **REFUSED,
        **moved("data_param", "scale", "mean_file", "crop_size", "mirror"),
        "data_param.shuffle": "only Intel's and yjxiong's Caffe shuffle a database, in an order not known here; "
        "write it in a random order (convert_imageset --shuffle)",
        **OF_CUSTOM_DATA,
        **OF_BOX_DATA,
        "data_param.force_encoded_color": "write it as transform_param { force_color: true }",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.data_param
        self.batch_size, self.source = param.batch_size, param.source
        if param.backend != DataParameter.LMDB:
            raise self.error(self._about_leveldb())
        self.records = Records(self, self.source)
        with self.records:
            super().setup(bottom, top)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        with self.records:
            super().forward(bottom, top)

    def open(self) -> None:
        rand_skip = self.layer_param.data_param.rand_skip
        if rand_skip:
            self.records.skip(caffe_rng().draw() % rand_skip)

    def current(self) -> tuple[np.ndarray, int, str]:
        datum, name = read_datum(self, self.source, *self.records.item())
        return self._pixels(datum, name), datum.label, name

    def advance(self) -> None:
        self.records.advance()

    def place(self) -> dict[str, np.ndarray]:
        return {"key": np.frombuffer(self.records.key or b"", np.uint8)}

    def set_place(self, state: dict[str, np.ndarray]) -> None:
        if not self.records.go_to(state["key"].tobytes()):
            raise self.error(
                f"'{self.source}' is not the LMDB that the state was kept with: its key is missing"
            )

    def _pixels(self, datum: Datum, name: str) -> np.ndarray:
        transform = self.layer_param.transform_param
        if (transform.force_color or transform.force_gray) and not datum.encoded:
            warnings.warn(
                f"layer '{self.name}' ({self.type}): force_color and force_gray have no effect on raw Datums",
                stacklevel=2,
            )
        return pixels(self, datum, name, self.flag)

    @property
    def flag(self) -> int:
        """How OpenCV decodes an image."""
        transform = self.layer_param.transform_param
        if transform.force_color or transform.force_gray:
            return cv2.IMREAD_COLOR if transform.force_color else cv2.IMREAD_GRAYSCALE
        return cv2.IMREAD_UNCHANGED

    def _about_leveldb(self) -> str:
        if os.path.exists(os.path.join(self.source, "data.mdb")):
            return f"'{self.source}' is an LMDB, but backend is LEVELDB (the default); add backend: LMDB"
        return (
            f"backend is LEVELDB (the default), which is not read ('{self.source}'); make an LMDB of the images "
            "with Caffe's `convert_imageset -backend lmdb`, or copy all keys and values with the Python packages "
            "plyvel and lmdb, and set backend: LMDB"
        )
