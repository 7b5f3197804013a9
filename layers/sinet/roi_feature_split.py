"""ROIFeatureSplit."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.sinet.branches import check_tables, read_branch_num, rows_of_branches


@register("ROIFeatureSplit")
class ROIFeatureSplit(Layer):
    """Gives each branch the features of its RoIs (roi_feature_split_param.branch_num).

    bottom[0]: R x C x H x W; bottom[1], bottom[2]: ROISplit's tops. Tops, one a branch: the rows of that branch; a
    branch without any has one row of 0, which hands nothing down. Only the features take a gradient. Raises LayerError
    for other numbers of branches and tops, and tables that are not ROISplit's.
    Source: ROIFeatureSplitLayer of xw-hu/SINet, which leaves in that row what stood there.
    """

    reads = ("roi_feature_split_param",)
    origin = "SINet"
    bottom_count = (3, 3)
    top_count = (2, 3)
    no_gradient = (1, 2)
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        branches = read_branch_num(self, self.layer_param.roi_feature_split_param.branch_num)
        if len(top) != branches:
            raise self.error(f"there are {len(top)} tops for {branches} branches; it needs one for each")
        for blob in top:
            blob.reshape(1, *self._shape(bottom))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many rows the tops have is known after forward."""
        self._shape(bottom)
        check_tables(self, bottom[1], bottom[2], bottom[0].num, len(top))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.rows = rows_of_branches(self, bottom[2], len(top))
        for blob, rows in zip(top, self.rows, strict=True):
            blob.reshape(max(len(rows), 1), *self._shape(bottom))
            blob.data[...] = bottom[0].data[rows] if len(rows) else 0

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            for blob, rows in zip(top, self.rows, strict=True):
                bottom[0].diff[rows] = blob.diff[: len(rows)]

    def _shape(self, bottom: Sequence[Blob]) -> tuple[int, ...]:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise self.error(f"bottom[0] has the shape {shape}; expected R x C x H x W")
        return shape[1:]
