"""SpatialTransformer of other transformations than affine ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register_form
from caffe_compat.layers.spatial_transformer.transformations import TRANSFORMATIONS
from caffe_compat.prototxt.caffe_pb2 import LayerParameter


def is_other(layer_param: LayerParameter) -> bool:
    """Whether a layer of type SpatialTransformer names such a transformation."""
    return layer_param.st_param.transform_type in TRANSFORMATIONS


@register_form("TransformedMaps", of="SpatialTransformer", describes=is_other)
class TransformedMaps(Layer):
    """Maps sampled at places that a transformation says which st_param.transform_type names.

    bottom[0]: N x C x H x W; bottom[1]: N x K, the numbers of the transformation, or K in other axes. top: N x C x
    output_H x output_W, H and W unless given. The top's pixel (i, j) stands at x = 2 j / (output_W - 1) - 1 and y =
    2 i / (output_H - 1) - 1, and is the bilinear sample of column (p + 1) (W - 1) / 2 and row (q + 1) (H - 1) / 2:

    translation (K = 2): p = theta_1_1 x + t0 and q = theta_2_2 y + t1, of st_param, 1 unless given;
    translation_scaling (4): p = t0 x + t1 and q = t2 y + t3;
    projective (8): p = (t0 x + t1 y + t2) / z and q = (t3 x + t4 y + t5) / z, z = t6 x + t7 y + 1;
    similarity (4): turned by t0, then scaled by t1 and moved by t2 and t3.

    Samples outside of the map are those at its border; of a similarity, pixels outside count 0. As there, bottom[0]'s
    gradient is 0, and bottom[1]'s takes pixels outside for 0 whatever the transformation, and the pixel itself, no
    slope, where a place is one. Raises LayerError for other shapes, and for tops of a single row or column.

    Source: SpatialTransformerLayer of e2e_face (mikuhatsune), its GPU kernel: the CPU's has no similarity, and no
    gradient of a projective transformation. Zhong, Chen, Huang, Toward End-to-End Face Recognition Through Alignment
    Learning (2017).
    """

    reads = ("st_param",)
    bottom_count = (2, 2)
    without_effect = ("st_param.to_compute_dU",)
    refused = {
        "st_param.sampler_type": "there is only bilinear: remove it",
        **dict.fromkeys(
            [f"st_param.theta_{place}" for place in ("1_2", "1_3", "2_1", "2_3")],
            "it is of affine transformations only: remove it",
        ),
    }
    origin = "e2e_face"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.st_param
        self.transformation = TRANSFORMATIONS[param.transform_type](param)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape, count = self.layer_param.st_param, bottom[0].shape, self.transformation.count
        if len(shape) != 4 or 0 in shape[2:]:
            raise self.error(f"bottom[0] has the shape {shape}, expected N x C x H x W")
        if bottom[1].num != shape[0] or bottom[1].count != count * shape[0]:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; a transformation of type {param.transform_type} has "
                f"{count} numbers for each of {shape[0]} images"
            )
        height = param.output_H if param.HasField("output_H") else shape[2]
        width = param.output_W if param.HasField("output_W") else shape[3]
        if min(height, width) < 2:
            raise self.error(f"the top has {height} x {width} pixels; it needs at least 2 x 2")
        top[0].reshape(*shape[:2], height, width)
        rows, columns = np.divmod(np.arange(height * width), width)
        x, y = (
            (2 * at / last - 1).astype(self.dtype) for at, last in ((columns, width - 1), (rows, height - 1))
        )
        self.places = x, y

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        height, width = bottom[0].shape[2:]
        for maps, numbers, out in zip(bottom[0].data, self._numbers(bottom), top[0].data, strict=True):
            x, y = self._sampled(numbers, height, width)
            if self.transformation.to_the_border:
                x, y = x.clip(0, width - 1), y.clip(0, height - 1)
            total = np.zeros((len(maps), x.size), self.dtype)
            for i, j, down, right, inside in _window(x, y, height, width):
                total += np.where(inside, (1 - abs(down)) * (1 - abs(right)) * maps[:, i, j], 0)
            out[...] = total.reshape(out.shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        height, width = bottom[0].shape[2:]
        if propagate_down[0]:
            bottom[0].diff[...] = 0
        if not propagate_down[1]:
            return
        diff = bottom[1].diff.reshape(bottom[0].num, self.transformation.count)
        for n, numbers in enumerate(self._numbers(bottom)):
            maps, seed = bottom[0].data[n], top[0].diff[n].reshape(bottom[0].channels, self.places[0].size)
            x, y = self._sampled(numbers, height, width)
            of_x, of_y = np.zeros((2, x.size), self.dtype)
            for i, j, down, right, inside in _window(x, y, height, width):
                value = np.where(inside, (maps[:, i, j] * seed).sum(axis=0), 0)
                of_x += np.where(right < 0, -1, 1) * (1 - abs(down)) * value
                of_y += np.where(down < 0, -1, 1) * (1 - abs(right)) * value
            of_p, of_q = of_x * ((width - 1) / 2), of_y * ((height - 1) / 2)
            parts = self.transformation.slopes(numbers, *self.places, of_p, of_q)
            diff[n] = [np.sum(part) for part in parts]

    def _numbers(self, bottom: Sequence[Blob]) -> np.ndarray:
        return bottom[1].data.reshape(bottom[0].num, self.transformation.count)

    def _sampled(self, numbers: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The columns and rows of bottom[0] that the top's pixels are sampled at."""
        p, q = self.transformation.places(numbers, *self.places)
        return (p + 1) / 2 * (width - 1), (q + 1) / 2 * (height - 1)


def _window(x: np.ndarray, y: np.ndarray, height: int, width: int) -> Iterator[tuple[np.ndarray, ...]]:
    """The pixels around each place: row, column, how far below and right of it, and whether the map has them.

    A place in a row, or column, of pixels has none in the next one.
    """
    with np.errstate(invalid="ignore"):
        for below in (0, 1):
            for beside in (0, 1):
                row, column = np.floor(y) + below, np.floor(x) + beside
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                inside &= (row < y + 1) & (column < x + 1)
                i, j = np.where(inside, row, 0).astype(np.int64), np.where(inside, column, 0).astype(np.int64)
                yield i, j, np.where(inside, row - y, 1), np.where(inside, column - x, 1), inside
