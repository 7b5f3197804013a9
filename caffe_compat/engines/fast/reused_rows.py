"""An InnerProduct whose rows another InnerProduct with the same params has computed already."""

from __future__ import annotations

from caffe_compat.engines.fast.fused import Blobs, Fused
from caffe_compat.engines.fast.shared_bins import SharedBins
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining


class ReusedRows(Fused):
    """fc6 of the hard RoIs: the rows of the read-only fc6 (before ReLU and dropout) that the mining layer chose."""

    def __init__(self, shared: SharedBins, mining: HardRoIMining):
        self.shared, self.mining = shared, mining
        shared.keeps = True

    def forward(self, bottoms: Blobs, tops: Blobs) -> None:
        self.shared.kept.data.take(self.mining.selected, axis=0, out=tops[0][0].data, mode="clip")
