"""ROIPooling and the InnerProduct behind it, for many RoIs: what RoIs have in common is computed once."""

from __future__ import annotations

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.fused.base import Blobs, Fused
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.kernels import shared_bins as kernels
from caffe_compat.layers.kernels.blas import has_sgemm, one_thread_blas
from caffe_compat.layers.kernels.scratch import scratch
from caffe_compat.layers.roi_pooling import ROIPooling
from caffe_compat.layers.rois import read_rois

BLOCK = 512  # outputs that are computed at a time: more, and their sums leave the cache
# Sorting the weights by position takes as long as the products of so many RoIs; adding up, this share of a product
PACKING, ADDING = 40, 0.06


class SharedBins(Fused):
    """Forward of ROIPooling -> InnerProduct, in which each rectangle of the maps is pooled and multiplied once.

    The inner product of a RoI is a sum over its bins of W_p (outputs x channels, those weights that see bin p) times
    the maximum over the bin's rectangle. Proposals overlap, so that many of them have the same rectangle at the same p.
    Where they share too little for it to pay, the two layers run as they are.

    `sharing` is the share of the products that the last forward took, 1 where the layers ran as they are. What differs
    from the layers' own result is the order of the sums.
    """

    def __init__(self, pooling: ROIPooling, product: InnerProduct):
        self.pooling, self.product = pooling, product
        self.sharing = 1.0
        self.keeps, self.kept = False, Blob()
        self._x, self._packed, self._products, self._sums = (Blob() for _ in range(4))

    @staticmethod
    def fits(product: InnerProduct) -> bool:
        """Whether it takes all of a RoI's bins at once, with weights outputs x inputs in float32."""
        param = product.layer_param.inner_product_param
        return has_sgemm() and param.axis == 1 and not param.transpose and product.dtype == np.float32

    def forward(self, bottoms: Blobs, tops: Blobs) -> None:
        """Write the product's top (R x outputs), and `kept`, a copy, where somebody `keeps` it."""
        (maps, rois), ((pooled,), (top,)) = bottoms[0], tops
        boxes = read_rois(self.pooling, [maps, rois], self.pooling.scale)
        plan = self._plan(maps, boxes) if len(boxes) else None
        if plan is None:
            self.sharing = 1.0
            self.pooling.forward([maps, rois], [pooled])
            self.product.forward([pooled], [top])
        else:
            self._multiply(*plan, top.data)
        if self.keeps:
            self.kept.reshape(*top.shape)
            self.kept.data[...] = top.data

    def _multiply(self, x: np.ndarray, starts: np.ndarray, places: np.ndarray, top: np.ndarray) -> None:
        weights, *bias = (blob.data for blob in self.product.blobs)
        outputs, positions, channels = weights.shape[0], len(places), x.shape[1]
        threads, block = numba.get_num_threads(), min(BLOCK, outputs)
        most = int(np.diff(starts).max())
        packed = _buffer(self._packed, threads, positions, block, channels)
        products = _buffer(self._products, threads, kernels.TOGETHER, most, block)
        sums = _buffer(self._sums, threads, len(top), block)
        if not bias:
            bias = [np.zeros(outputs, np.float32)]
        with one_thread_blas():
            kernels.multiply(x, starts, places, weights, bias[0], packed, products, sums, top)

    def _plan(self, maps: Blob, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """What `multiply` takes: x, starts, places; None where sharing does not pay."""
        pooling = self.pooling
        num, channels, height, width = maps.shape
        positions, count = pooling.bins[0] * pooling.bins[1], len(boxes)
        keys = np.empty((positions, count), np.int64)
        kernels.rectangles(boxes, pooling.scale, *pooling.bins, (num, height, width), keys)
        table = np.full(1 << (2 * keys.size).bit_length(), -1, np.int64)
        ids, places, rows = (
            np.empty(keys.shape, np.int32),
            np.empty(keys.shape, np.int32),
            np.empty(keys.size, np.int32),
        )
        found, starts = np.empty(keys.size, np.int64), np.empty(positions + 1, np.int64)
        rectangles, total = kernels.distinct(keys, table, ids, found, rows, starts, places)
        self.sharing = total / keys.size
        if count * self.sharing * (1 + ADDING) + PACKING > count:
            return None
        pooled = scratch((rectangles, channels), np.dtype(np.float32))
        kernels.pool_rectangles(pooling.channels_last(maps), found[:rectangles], pooled)
        x = _buffer(self._x, total, channels)
        kernels.gather(pooled, rows[:total], x)
        return x, starts, places


def _buffer(blob: Blob, *shape: int) -> np.ndarray:
    """The blob's data in this shape, kept from one forward to the next."""
    blob.reshape(*shape)
    return blob.data
