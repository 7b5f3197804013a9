"""FlowWarp."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from caffe_compat.layers.common.corners import Corners
from caffe_compat.layers.flow.warping import Warping
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FlowWarpParameter


@register("FlowWarp")
class FlowWarp(Warping):
    """Maps sampled where a flow says (flow_warp_param).

    bottom[0]: N x C x H x W; bottom[1]: the flow, N x 2 x H x W, how far right and how far down. top: like bottom[0],
    the bilinear sample at (x + right, y + down), the last row and column going on to their ends; outside of the map 0,
    or NaN with fill_value NOT_A_NUMBER, without a gradient. Raises LayerError for other shapes.

    Source: FlowWarpLayer of lmb-freiburg/flownet2; its GPU leaves rubbish where this has NaN.
    """

    reads = ("flow_warp_param",)
    origin = "FlowNet2"
    outside = MappingProxyType({"kept": True})

    def _sample(self, corners: Corners, maps: np.ndarray, out: np.ndarray) -> None:
        super()._sample(corners, maps, out)
        if self.layer_param.flow_warp_param.fill_value == FlowWarpParameter.NOT_A_NUMBER:
            out[:, ~corners.all[0].counts.reshape(out.shape[1:])] = np.nan
