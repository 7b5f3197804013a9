"""A Deconvolution and what follows it: a convolution that makes the pixels of each stride together, then interleaved.

Along an axis, pixel q of the padded top sums the bottom's pixels i with q = stride i + k over the elements k of the
kernel. The `stride` pixels from stride i on see the same pixels of the bottom, i and those before it, each with
elements of its own: they are as many channels of a convolution with stride 1.

Source: Shi et al., Is the deconvolution layer the same as a convolutional layer? (2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.steps.followers import Followers
from caffe_compat.engines.fast.steps.product import product_row, suits
from caffe_compat.engines.fast.steps.step import LEAST_NUMBERS, Blobs, Calls, Row, Step, parts_of
from caffe_compat.engines.fast.steps.tiles import pack_for_tiles, tiles_row
from caffe_compat.layers.base import Layer
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.convolution.deconvolution import Deconvolution
from caffe_compat.layers.kernels.micro_kernel import ROWS
from caffe_compat.layers.kernels.step_expanding import expand

# products for each one that counts: where the stride does not divide the kernel, others are with zeros
MOST_PRODUCTS = 1.5


class Expanding(Step):
    """Deconvolution over two spatial axes, then followers."""

    def __init__(self, layers: Sequence[Layer]):
        super().__init__(layers)
        assert isinstance(layers[0], Deconvolution)
        self._deconvolution = layers[0]
        self._followers = Followers(layers[1:])
        self._together = Blob()  # the convolution's top
        self._stride: tuple[int, ...] = (1, 1)  # of what is interleaved
        self._taps: tuple[int, ...] = (1, 1)  # of the convolution
        self._packed: np.ndarray = np.empty(0, np.float32)

    @staticmethod
    def fits(layer: Layer) -> bool:
        if type(layer) is not Deconvolution:
            return False
        geometry = layer.geometry
        return (
            (len(geometry.kernel), layer.channel_axis, len(layer.layer_param.top)) == (2, 1, 1)
            and geometry.dilation == (1, 1)
        )  # fmt: skip

    def is_of_images(self, bottoms: Blobs, tops: Blobs) -> bool:
        return True

    def rows(self, bottoms: Blobs, tops: Blobs, threads: int) -> Calls | None:
        bottom, top = bottoms[0][0], tops[-1][0]
        kernel, pad = self._deconvolution.geometry.kernel, self._deconvolution.geometry.pad
        self._stride = kernel if bottom.shape[2:] == (1, 1) else self._deconvolution.geometry.stride
        self._taps = -(-kernel[0] // self._stride[0]), -(-kernel[1] // self._stride[1])
        elements = math.prod(self._taps) * math.prod(self._stride)
        if not (bottom.count and top.count) or elements > MOST_PRODUCTS * math.prod(kernel):
            return None
        first = [p // s for p, s in zip(pad, self._stride, strict=True)]
        last = [(p + n - 1) // s for p, n, s in zip(pad, top.shape[2:], self._stride, strict=True)]
        channels = top.shape[1] * math.prod(self._stride)
        self._together.reshape(top.shape[0], channels, *(b - a + 1 for a, b in zip(first, last, strict=True)))
        before = tuple(taps - 1 - a for taps, a in zip(self._taps, first, strict=True))
        convolve = self._convolve(bottom, ConvGeometry(self._taps, (1, 1), before, (1, 1)), threads)
        cut = np.array([p % s for p, s in zip(pad, self._stride, strict=True)], np.int64)
        return [convolve, self._interleave(top, cut, threads)]

    def _convolve(self, bottom: Blob, geometry: ConvGeometry, threads: int) -> Row:
        group, together, each = self._deconvolution.group, self._together, math.prod(self._stride)
        fields = self._followers.fields(together.shape[1] // each, ROWS, each)
        is_vector = group == 1 and bottom.count == math.prod(bottom.shape[:2])
        if is_vector and suits(bottom.shape[0], bottom.count):
            self._packed = np.empty((1, together.shape[1], bottom.shape[1], 1), np.float32)
            fields["scale"] = np.ones(together.shape[1], np.float32)  # `load` scales the filters themselves
            return product_row(self, bottom, together, self._packed[0, :, :, 0], threads, **fields)
        row, self._packed = tiles_row(self, geometry, group, bottom, together, threads, **fields)
        return row

    def _interleave(self, top: Blob, cut: np.ndarray, threads: int) -> Row:
        images, channels, out_height, out_width = top.shape
        return self.row(
            function=expand,
            parts=parts_of(top.count, LEAST_NUMBERS, threads),
            images=images, channels=channels, height=self._together.shape[2], width=self._together.shape[3],
            out_height=out_height, out_width=out_width, stride_h=self._stride[0], stride_w=self._stride[1],
            starts=cut, bottom=self._together, top=top,
        )  # fmt: skip

    def load(self) -> None:
        filters, *biases = (blob.data for blob in self._deconvolution.blobs)
        self._followers.load(*biases)
        group, (channels, outputs, *kernel) = self._deconvolution.group, filters.shape
        (down, right), (tall, wide) = self._taps, self._stride
        padded = np.zeros((channels, outputs, down * tall, right * wide), np.float32)
        padded[:, :, : kernel[0], : kernel[1]] = filters
        parts = padded.reshape(group, channels // group, outputs, down, tall, right, wide)[
            :, :, :, ::-1, :, ::-1
        ]
        ordered = np.ascontiguousarray(parts.transpose(0, 2, 4, 6, 1, 3, 5))
        pack_for_tiles(ordered, self._followers.scale, self._packed)
