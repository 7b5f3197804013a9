"""CustomData: blobs that lie one behind the other in the Datums of an LMDB, such as two images and their flow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.layers.data.datums import read_datum
from caffe_compat.layers.data.record_order import RecordOrder
from caffe_compat.layers.data.records import Records
from caffe_compat.layers.data.refused import OF_BOX_DATA
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import DataParameter, Datum

F = np.float32
MISSING = 2**15 - 1  # of a flow


@register("CustomData")
class CustomData(Layer):
    """The Datums of the LMDB data_param.source, whose keys count from 00000000, cut into blobs at slice_point.

    tops: batch_size x channels x height x width each, one more than there are slice_point (channels where the next
    begins); without any, a second one for labels, batch_size x 1 x 1 x 1. A Datum holds float_data, or bytes, each
    slice in its encoding: UINT8 (also where none is said), UINT16FLOW (numbers of 16 bits over 32; the greatest is NaN,
    a missing flow) or BOOL1 (one channel, 8 pixels a byte). subtract, one number a channel, or the binaryproto
    mean_file is subtracted, and then times scale.
    Of all records count those to which preselection_file, a number each, gives preselection_label. rand_permute
    shuffles them, in blocks of block_size, whose last stays; then (with FIRST_RANGE_THEN_PERMUTE: before) those from
    range_start to range_end are taken. rand_permute_seed is C's srand; without it, draws of the global stream.
    permute_every_iter shuffles again after so many batches. Raises LayerError for a database or a file that cannot be
    read, for slices that do not fit to the Datums or tops, and for Datums that are not all of one shape.

    Source: CustomDataLayer of lmb-freiburg/flownet2.
    """

    reads = ("data_param",)
    bottom_count = (0, 0)
    top_count = (1, None)
    has_backward = False
    origin = "FlowNet2"
    without_effect = tuple(
        f"data_param.{name}"
        for name in ("prefetch", "verbose", "disk_reader_threads", "huge_video_dataset", "limit_samples")
    )
    refused = {
        "data_param.crop_size": "its Caffe stops there, too; DataAugmentation crops",
        "data_param.mirror": "its Caffe stops there, too; DataAugmentation mirrors",
        "data_param.rand_skip": "its Caffe stops there, too; range_start begins later",
        "data_param.force_encoded_color": "its Datums hold numbers, no files of images",
        "data_param.shuffle": "write rand_permute: true",
        **OF_BOX_DATA,
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.data_param
        if param.backend != DataParameter.LMDB:
            raise self.error(
                f"backend is LEVELDB (the default), which is not read ('{param.source}'); make it LMDB"
            )
        self.batch_size = param.batch_size if param.HasField("batch_size") else 1
        if self.batch_size < 1:
            raise self.error("batch_size is 0; give a positive one")
        self.records = Records(self, param.source)
        with self.records:
            datum, name = read_datum(self, param.source, *self.records.item())
            self.order = RecordOrder(self, param, self.records.count)
        self.shape = datum.channels, datum.height, datum.width
        if min(self.shape) < 1:
            raise self.error(f"{name}: the Datum has the shape {self.shape}")
        self.slices = self._slices(len(top), self.shape[0])
        self.mean = self._mean()
        self.at = self.batches = 0
        for blob, (begin, end) in zip(top, self.slices, strict=False):
            blob.reshape(self.batch_size, end - begin, *self.shape[1:])
        for blob in top[len(self.slices) :]:
            blob.reshape(self.batch_size, 1, 1, 1)

    def _slices(self, tops: int, channels: int) -> list[tuple[int, int]]:
        """The first channel of each top, and the one behind its last."""
        points = [0, *self.param.slice_point, channels]
        slices = list(itertools.pairwise(points))
        if any(begin >= end for begin, end in slices):
            raise self.error(
                f"slice_point is {points[1:-1]}, which does not cut {channels} channels into parts"
            )
        if tops != len(slices) and not (tops == 2 and len(slices) == 1):
            raise self.error(
                f"there are {tops} tops and {len(slices)} slices; give one slice_point less than tops"
            )
        for (begin, end), encoding in zip(slices, self.param.encoding, strict=False):
            if encoding == DataParameter.BOOL1 and end - begin != 1:
                raise self.error(
                    f"channels {begin} to {end - 1} have the encoding BOOL1, which is for one channel"
                )
        return slices

    def _mean(self) -> np.ndarray:
        """For all channels, of their size or one number each."""
        if self.param.HasField("mean_file"):
            mean = read_binaryproto(self, self.param.mean_file)
            if mean.shape != (1, *self.shape):
                raise self.error(f"mean_file has the shape {mean.shape}, the Datums {self.shape}")
            return mean[0]
        given = list(self.param.subtract)
        if len(given) > self.shape[0]:
            raise self.error(f"there are {len(given)} numbers `subtract`, and {self.shape[0]} channels")
        return np.array([*given, *[0] * (self.shape[0] - len(given))], F)[:, None, None]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        with self.records:
            for i in range(self.batch_size):
                datum, name = self._next()
                values = (self._decoded(datum, name) - self.mean) * F(self.param.scale)
                for blob, (begin, end) in zip(top, self.slices, strict=False):
                    blob.data[i] = values[begin:end]
                for blob in top[len(self.slices) :]:
                    blob.data[i] = datum.label
        self.batches += 1
        every = self.param.permute_every_iter
        if self.param.rand_permute and every and self.batches % every == 0:
            self.order.shuffle()

    def _next(self) -> tuple[Datum, str]:
        key = b"%08d" % self.order.items[self.at]
        self.at = (self.at + 1) % len(self.order.items)
        if not self.records.seek(key):
            raise self.error(
                f"'{self.param.source}' has no key '{key.decode()}' or behind it; its keys have to count its records"
            )
        return read_datum(self, self.param.source, *self.records.item())

    def _decoded(self, datum: Datum, name: str) -> np.ndarray:
        """All channels of a Datum, float32."""
        shape = datum.channels, datum.height, datum.width
        if shape != self.shape:
            raise self.error(f"{name}: the Datum has the shape {shape}, the first one {self.shape}")
        if len(datum.float_data):
            if len(self.param.encoding):
                raise self.error(
                    f"{name}: the Datum holds float_data, which has no encoding; remove encoding"
                )
            values = np.array(datum.float_data, F)
            if values.size != np.prod(shape):
                raise self.error(f"{name}: the Datum has {values.size} numbers for the shape {shape}")
            return values.reshape(shape)
        encodings = [*self.param.encoding, *[DataParameter.UINT8] * len(self.slices)]
        sizes = [
            self._bytes(end - begin, code) for (begin, end), code in zip(self.slices, encodings, strict=False)
        ]
        if len(datum.data) != sum(sizes):
            raise self.error(
                f"{name}: the Datum has {len(datum.data)} bytes; in their encoding its slices take "
                f"{' + '.join(map(str, sizes))}"
            )
        ends = list(itertools.accumulate(sizes))
        parts = (datum.data[end - size : end] for size, end in zip(sizes, ends, strict=True))
        return np.concatenate([self._part(*each) for each in zip(parts, encodings, strict=False)])

    def _bytes(self, channels: int, encoding: int) -> int:
        pixels = self.shape[1] * self.shape[2]
        if encoding == DataParameter.BOOL1:
            return -(-pixels // 8)
        return pixels * channels * (2 if encoding == DataParameter.UINT16FLOW else 1)

    def _part(self, data: bytes, encoding: int) -> np.ndarray:
        """The channels of a slice."""
        size = self.shape[1:]
        if encoding == DataParameter.BOOL1:
            bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
            return bits[: size[0] * size[1]].reshape(1, *size).astype(F)
        if encoding == DataParameter.UINT16FLOW:
            words = np.frombuffer(data, "<i2")
            return np.where(words == MISSING, F(np.nan), words / F(32)).reshape(-1, *size)
        return np.frombuffer(data, np.uint8).reshape(-1, *size).astype(F)

    def get_state(self) -> dict[str, np.ndarray]:
        return self.order.get_state() | {"place": np.array([self.at, self.batches])}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.order.set_state(state)
        self.at, self.batches = state["place"].tolist()
