"""BoxData: images with their objects, cell by cell, for YOLO's first version."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.data.data import Data
from caffe_compat.layers.data.datums import read_datum
from caffe_compat.layers.data.refused import FORKS_ONLY, OF_CUSTOM_DATA, moved
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import Datum
from caffe_compat.rng import Rng, caffe_rng

CLASS, DIFFICULT, BOX = 0, 1, slice(2, 6)
SIDE = 7  # where no side is given
LOSSES = 30  # percent of a side that a part may lack, less one
TRIES = 1000


class BoxTransformer(DataTransformer):
    """A DataTransformer that in TRAIN takes a part of each image, at random, and makes it as large as the image."""

    def init_rand(self) -> None:
        self.rng = Rng(caffe_rng().draw()) if self.layer.phase == TRAIN else None

    def part(self, image: np.ndarray, objects: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A part (channels x height x width) that has the middle of an object, and the objects that it has (K x 6)."""
        size = np.array(image.shape[:0:-1])  # width, height
        corner = (objects[:, BOX] * np.tile(size, 2).astype(np.float32)).astype(np.int64)
        for _ in range(TRIES):
            scale = np.float32(1 - self._rand(LOSSES) / 100)
            part = (size.astype(np.float32) * scale).astype(np.int64) - 1
            if part.min() < 1:
                raise self.layer.error(
                    f"{name} is {size[1]} x {size[0]} (height, width), too small to take a part of"
                )
            start = np.array([self._rand(int(n)) for n in size - part])
            inside = ((corner[:, :2] >= start) & (corner[:, :2] < start + part)).all(axis=1)
            if inside.any():
                found = objects[inside].copy()
                found[:, 2:4] = (corner[inside, :2] - start) / part
                found[:, 4:6] = corner[inside, 2:] / part
                return self._enlarged(image, start, part), found
        raise self.layer.error(f"{name} has no object whose middle lies in a part of it: correct its boxes")

    @staticmethod
    def _enlarged(image: np.ndarray, start: np.ndarray, part: np.ndarray) -> np.ndarray:
        (x, y), (width, height) = start, part
        window = np.ascontiguousarray(image[:, y : y + height, x : x + width].transpose(1, 2, 0))
        whole = cv2.resize(window, image.shape[:0:-1])
        return whole.reshape(*image.shape[1:], len(image)).transpose(2, 0, 1)


@register("BoxData")
class BoxData(Data):
    """The Datums of the LMDB data_param.source, in the order of their keys: images, and their objects cell by cell.

    A Datum holds an image file, and in float_data six numbers an object: class from 0, difficult (0 or 1), and the
    middle's x and y, the width and the height in parts of the image. top[0]: the images, N x channels x height x
    width. Each further top, one for each `side` of data_param (S; 7 without any), N x 7 S S of S x S cells: whether
    each cell's object is difficult, whether there is one, its class (-1 for none), and x, y, width and height, cell by
    cell; of two objects in a cell the last counts.
    In TRAIN a part of the image, 71 to 100 % of each side, is drawn anew until it has an object's middle, and made as
    large as the image. Then the image goes the way of Data's, without its mirror and crop, of which the original's
    boxes know nothing. Raises LayerError as Data does, and for a record without such numbers.
    Source: BoxDataLayer of yeahkun/caffe-yolo, with its random numbers; Redmon et al., You Only Look Once (2015).
    """

    leaves_out = False
    top_count = (1, 101)
    origin = "caffe-yolo"
    without_effect = ("data_param.prefetch", "data_param.rand_skip")
    refused = {
        **FORKS_ONLY,
        **{
            f"transform_param.{name}": "the boxes would not go with it; prepare the files of the database"
            for name in ("mirror", "crop_size")
        },
        **moved("data_param", "scale", "mean_file", "crop_size", "mirror"),
        **OF_CUSTOM_DATA,
        "data_param.shuffle": Data.refused["data_param.shuffle"],
        "data_param.force_encoded_color": "write it as transform_param { force_color: true }",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.sides = [int(side) for side in self.layer_param.data_param.side] or [SIDE]
        self.has_labels = len(top) > 1
        if self.has_labels and len(self.sides) != len(top) - 1:
            raise self.error(
                f"there are {len(self.sides)} side for {len(top) - 1} tops of labels; give one each"
            )
        if min(self.sides) < 1:
            raise self.error("a side is 0; it is how many cells a row has")
        super().setup(bottom, top)

    def open(self) -> None:
        """Nothing is to be found: the records are."""

    def make_transformer(self) -> BoxTransformer:
        return BoxTransformer(self)

    def shape_labels(self, top: Sequence[Blob]) -> None:
        for blob, side in zip(top[1:], self.sides, strict=False):
            blob.reshape(self.batch_size, 7 * side * side)

    def _serve(self, top: Sequence[Blob], i: int) -> None:
        datum, name = read_datum(self, self.source, *self.records.item())
        objects = self._objects(datum, name) if self.has_labels else None
        image = self._pixels(datum, name)
        if objects is not None and self.phase == TRAIN:
            image, objects = self.transformer.part(image, objects, name)
        if i == 0:
            top[0].reshape(self.batch_size, *self.transformer.shape(image))
        self.transformer.transform(image, top[0].data[i], name)
        if objects is not None:
            for blob, side in zip(top[1:], self.sides, strict=True):
                _write_cells(objects, side, blob.data[i])
        self.images_read += 1

    def _objects(self, datum: Datum, name: str) -> np.ndarray:
        """K x 6, float32."""
        numbers = np.array(datum.float_data, np.float32)
        if not datum.encoded or not numbers.size or numbers.size % 6:
            raise self.error(
                f"{name}: expected an image file and in float_data six numbers an object (class, difficult, x, y, "
                f"width, height); found {numbers.size} numbers"
            )
        objects = numbers.reshape(-1, 6)
        if not np.isfinite(objects).all() or (objects[:, [CLASS, 2, 3]] < 0).any():
            raise self.error(
                f"{name}: an object's class, x and y have to be at least 0, and all its numbers finite"
            )
        return objects


def _write_cells(objects: np.ndarray, side: int, out: np.ndarray) -> None:
    """out: 7 side side numbers."""
    cells = side * side
    out[...] = 0
    classes, boxes = out[2 * cells : 3 * cells], out[3 * cells :].reshape(cells, 4)
    classes[...] = -1
    places = np.minimum(np.floor(objects[:, 2:4] * np.float32(side)), side - 1).astype(np.int64)
    for (column, row), one in zip(places, objects, strict=True):
        cell = row * side + column
        out[cell], out[cells + cell], classes[cell] = one[DIFFICULT], 1, one[CLASS]
        boxes[cell] = one[BOX]
