"""Images from an LMDB database."""

from __future__ import annotations

import os
import warnings
from typing import Any
from weakref import WeakValueDictionary

import cv2
import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.layers.base import Layer
from caffe_compat.layers.extras import import_extra
from caffe_compat.layers.image_batches import ImageBatches
from caffe_compat.layers.registry import register
from caffe_compat.layers.transformer import decode
from caffe_compat.prototxt.caffe_pb2 import DataParameter, Datum
from caffe_compat.rng import caffe_rng


class Database:
    """An LMDB that is open for reading, until nobody refers to it."""

    def __init__(self, layer: Layer, path: str):
        lmdb = import_extra(layer, "lmdb", "lmdb")
        try:
            self.environment = lmdb.open(path, readonly=True, lock=False, subdir=os.path.isdir(path))
        except lmdb.Error as error:
            raise layer.error(f"cannot open the LMDB '{path}': {error}") from error

    def __del__(self) -> None:
        if hasattr(self, "environment"):
            self.environment.close()


_open: WeakValueDictionary[str, Database] = WeakValueDictionary()  # LMDB opens a file only once a process


@register("Data")
class Data(ImageBatches):
    """The Datums of the LMDB data_param.source, in the order of their keys: images, and with two tops labels.

    A Datum holds channels x height x width numbers (bytes or float_data), or an image file (encoded), which is
    decoded as it is, or in colour or grey as transform_param's force_color and force_gray say. rand_skip starts up
    to that many images behind the first. Raises LayerError for LevelDB, for a database that cannot be opened or
    is empty, and, with its key, for a Datum that cannot be read. Needs the extra `lmdb`.
    Source: Caffe's DataLayer; rand_skip as in those before 2015, later ones ignore it.
    """

    top_count = (1, 2)

    def open(self) -> None:
        param = self.layer_param.data_param
        self.batch_size, self.source = param.batch_size, param.source
        if param.backend != DataParameter.LMDB:
            raise self.error(self._about_leveldb())
        path = os.path.realpath(self.source)
        self.database = _open.get(path) or _open.setdefault(path, Database(self, path))
        self.cursor: Any = self.database.environment.begin(buffers=False).cursor()
        if not self.cursor.first():
            raise self.error(f"the LMDB '{self.source}' is empty")
        for _ in range(caffe_rng().draw() % param.rand_skip if param.rand_skip else 0):
            self.advance()

    def current(self) -> tuple[np.ndarray, int, str]:
        key, value = self.cursor.item()
        name = f"'{self.source}', key '{key.decode(errors='backslashreplace')}'"
        try:
            datum = Datum.FromString(value)
        except DecodeError as error:
            raise self.error(f"{name}: this is no Datum") from error
        return self._pixels(datum, name), datum.label, name

    def advance(self) -> None:
        if not self.cursor.next():
            self.cursor.first()

    def place(self) -> dict[str, np.ndarray]:
        return {"key": np.frombuffer(self.cursor.key(), np.uint8)}

    def set_place(self, state: dict[str, np.ndarray]) -> None:
        if not self.cursor.set_key(state["key"].tobytes()):
            raise self.error(
                f"'{self.source}' is not the LMDB that the state was kept with: its key is missing"
            )

    def _pixels(self, datum: Datum, name: str) -> np.ndarray:
        """Channels x height x width, uint8 or float32."""
        transform = self.layer_param.transform_param
        if datum.encoded:
            flag = cv2.IMREAD_UNCHANGED
            if transform.force_color or transform.force_gray:
                flag = cv2.IMREAD_COLOR if transform.force_color else cv2.IMREAD_GRAYSCALE
            return decode(self, datum.data, flag, name).transpose(2, 0, 1)
        if transform.force_color or transform.force_gray:
            warnings.warn(
                f"layer '{self.name}' (Data): force_color and force_gray have no effect on raw Datums",
                stacklevel=2,
            )
        shape = datum.channels, datum.height, datum.width
        values = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, np.float32)
        if min(shape) < 1 or values.size != np.prod(shape, dtype=float):
            raise self.error(f"{name}: the Datum has {values.size} numbers for the shape {shape}")
        return values.reshape(shape)

    def _about_leveldb(self) -> str:
        if os.path.exists(os.path.join(self.source, "data.mdb")):
            return f"'{self.source}' is an LMDB, but backend is LEVELDB (the default); add backend: LMDB"
        return (
            f"backend is LEVELDB (the default), which is not read ('{self.source}'); make an LMDB of the images "
            "with Caffe's `convert_imageset -backend lmdb`, or copy all keys and values with the Python packages "
            "plyvel and lmdb, and set backend: LMDB"
        )
