"""ProposalTargetLayer of unsky's FPN, and its form for one R-CNN of all levels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from caffe_compat.layers.rpn.pyramid import ROI_LEVELS, level_rows
from caffe_compat.layers.rpn.pyramid_rois import FEWEST, padded

FILLS = (0, -1, 0, 0, 0)  # of the rows that are no RoI: they do not count


class ProposalMergeRcnnTargetLayer(ProposalTargetLayer):
    """`python_param { module: "rpn.proposal_target_layer_mrcnn" layer: "ProposalMergeRcnnTargetLayer" }`: samples RoIs,
    and shares them out to four levels of a pyramid.

    bottom[0], bottom[1]: RoIs and gt_boxes, as of ProposalTargetLayer; bottom[2]: the image, not looked at. top[0] to
    [3]: the RoIs of p2 to p5, n x 5 each, see level_rows; a level without any has four RoIs of 0, whose label is -1 and
    whose weights are 0. top[4] to [7]: labels, box targets, inside and outside weights of all four, one after the
    other. What is sampled: as ProposalTargetLayer, by other numbers, and targets are normalized (by the stds, as far as
    a configuration does not say otherwise). Raises LayerError as that does.
    Source: rpn.proposal_target_layer_mrcnn of unsky/FPN.
    """

    origin = "unsky's FPN"
    bottom_count = (3, 3)
    top_count = (ROI_LEVELS + 4, ROI_LEVELS + 4)
    no_gradient = (0, 1, 2)

    batch_size = 256
    bg_thresh_lo = 0.0
    normalize_targets = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.sampled = [Blob((), blob.dtype) for blob in top[: len(FILLS)]]
        super().setup(bottom, self.sampled)
        self._shape_levels(top, [self._rows(0)] * ROI_LEVELS)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, self.sampled)
        levels = level_rows(self.sampled[0].data)
        self._shape_levels(top, [self._rows(len(rows)) for rows in levels])
        parts = [
            [padded(blob.data[rows], self._rows(len(rows)), fill) for rows in levels]
            for blob, fill in zip(self.sampled, FILLS, strict=True)
        ]
        for blob, part in zip(top, parts[0], strict=False):
            blob.data[...] = part
        for blob, own in zip(top[ROI_LEVELS:], parts[1:], strict=True):
            blob.data[...] = np.concatenate(own)

    def _rows(self, count: int) -> int:
        """How many rows a level of so many RoIs has."""
        return count or FEWEST

    def _shape_levels(self, top: Sequence[Blob], rows: list[int]) -> None:
        for blob, count in zip(top, rows, strict=False):
            blob.reshape(count, 5)
        for blob, source in zip(top[ROI_LEVELS:], self.sampled[1:], strict=True):
            blob.reshape(sum(rows), *source.shape[1:])


class PyramidProposalTargetLayer(ProposalMergeRcnnTargetLayer):
    """`python_param { module: "rpn.proposal_target_layer" layer: "ProposalTargetLayer" }` of three bottoms: as
    ProposalMergeRcnnTargetLayer, but each level has as many rows as RoIs are sampled (batch_size), first its own.

    Source: rpn.proposal_target_layer of unsky/FPN.
    """

    counts_rows = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.batch_size < 1:
            raise self.error(f"batch_size is {self.batch_size}; each level has so many rows")
        super().setup(bottom, top)

    def _rows(self, count: int) -> int:
        return self.batch_size
