"""ROIPooling and the InnerProduct behind it for many RoIs: bins that RoIs have in common are computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.engines.fast.fused import Blobs, Fused
from caffe_compat.layers.fast_rcnn.roi_pooling import ROIPooling
from caffe_compat.layers.fast_rcnn.rois import read_rois
from caffe_compat.layers.inner_product import InnerProduct
from caffe_compat.layers.kernels import shared_bins as kernels
from caffe_compat.layers.kernels.micro_kernel import COLUMNS, ROWS, SLACK
from caffe_compat.layers.kernels.scratch import apart, scratch_parts
from caffe_compat.layers.kernels.shared_bins_in_tiles import multiply as multiply_in_tiles
from caffe_compat.layers.kernels.tile_registers import AVAILABLE, SIDE, TILE, panel_numbers

BLOCK = 256  # outputs that are computed at a time; the sums of more do not stay in the cache
# sorting the weights by position takes as long as the products of 40 RoIs; adding up takes 0.06 of a product's time
PACKING, ADDING = 40, 0.06


@dataclass(frozen=True)
class _Plan:
    """The bins that RoIs share; see `kernels.distinct`, whose `found` is `rectangles` here."""

    rectangles: np.ndarray
    rows: np.ndarray
    starts: np.ndarray
    places: np.ndarray

    @property
    def sharing(self) -> float:
        """The number of products that are left to compute, as a share of all."""
        return len(self.rows) / max(self.places.size, 1)


class SharedBins(Fused):
    """Forward of ROIPooling -> InnerProduct, in which each rectangle of the maps is pooled and multiplied once.

    The inner product of a RoI is a sum over its bins p: the weights of bin p, W_p (outputs x channels), times the
    maximum over the bin's rectangle. Proposals overlap, so many of them have the same rectangle at the same p. Where
    they share too little to save time, the two layers run as they are.

    `sharing` is the share of the products that the last forward computed, 1 where the layers ran as they are. The
    result differs from that of the layers by the order of the sums.
    """

    def __init__(self, pooling: ROIPooling, product: InnerProduct):
        self.pooling, self.product = pooling, product
        self.sharing = 1.0
        self.keeps, self.kept = False, Blob()

    @staticmethod
    def fits(product: InnerProduct) -> bool:
        """Whether the product takes all bins of a RoI at once, with weights outputs x inputs in float32."""
        param = product.layer_param.inner_product_param
        return param.axis == 1 and not param.transpose and product.dtype == np.float32

    def forward(self, bottoms: Blobs, tops: Blobs) -> None:
        """Write the product's top (R x outputs), and where `keeps` is set, a copy of it into `kept`."""
        (maps, rois), ((pooled,), (top,)) = bottoms[0], tops
        boxes = read_rois(self.pooling, [maps, rois], self.pooling.scale, self.pooling.pad_ratio)
        plan = self._plan(maps, boxes)
        self.sharing = plan.sharing
        if self._pays(plan):
            self._multiply(plan, maps, top.data)
        else:
            self.sharing = 1.0
            self.pooling.forward([maps, rois], [pooled])
            self.product.forward([pooled], [top])
        if self.keeps:
            self.kept.reshape(*top.shape)
            self.kept.data[...] = top.data

    def _plan(self, maps: Blob, boxes: np.ndarray) -> _Plan:
        pooling, (num, _, height, width) = self.pooling, maps.shape
        keys = np.empty((pooling.bins[0] * pooling.bins[1], len(boxes)), np.int64)
        kernels.rectangles(boxes, pooling.scale, *pooling.bins, (num, height, width), keys)
        table = np.full(1 << (2 * keys.size).bit_length(), -1, np.int64)
        ids, places = np.empty(keys.shape, np.int32), np.empty(keys.shape, np.int32)
        rows, found = np.empty(keys.size, np.int32), np.empty(keys.size, np.int64)
        starts = np.empty(len(keys) + 1, np.int64)
        rectangles, total = kernels.distinct(keys, table, ids, found, rows, starts, places)
        return _Plan(found[:rectangles], rows[:total], starts, places)

    def _pays(self, plan: _Plan) -> bool:
        rois = plan.places.shape[1]
        return rois * plan.sharing * (1 + ADDING) + PACKING <= rois

    def _multiply(self, plan: _Plan, maps: Blob, top: np.ndarray) -> None:
        weights, *bias = (blob.data for blob in self.product.blobs)
        channels, (outputs, _), (positions, rois) = maps.channels, weights.shape, plan.places.shape
        threads, block = numba.get_num_threads(), min(BLOCK, -(-outputs // COLUMNS) * COLUMNS)
        panel, most = panel_numbers(channels), int(np.diff(plan.starts).max())
        shapes: list[tuple[int, ...]] = [
            (len(plan.rectangles), channels),
            (threads, positions, apart(channels * block)),
            (threads, apart(channels * ROWS + SLACK)),
            (threads, kernels.TOGETHER, most + max(ROWS, TILE), block),
            (threads, rois, block),
        ]
        if AVAILABLE:
            shapes += (threads, panel), (threads, block // SIDE, panel), (threads, SIDE, SIDE)
        pooled, packed, panels, products, sums, *tiles = scratch_parts(shapes, np.dtype(np.float32))
        kernels.pool_rectangles(self.pooling.channels_last(maps), plan.rectangles, pooled)
        if not bias:
            bias = [np.zeros(outputs, np.float32)]
        multiply = multiply_in_tiles if AVAILABLE else kernels.multiply
        multiply(
            *(pooled, plan.rows, plan.starts, plan.places, weights, bias[0]),
            *(packed, panels, *tiles, products, sums, top),
        )
