"""ROISplit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.registry import register
from caffe_compat.layers.sinet.branches import read_branch_num
from caffe_compat.rng import caffe_rng


@register("ROISplit")
class ROISplit(Layer):
    """Shares RoIs out to two or three branches by their area (roi_split_param).

    bottom[0]: R x 5 RoIs (image, x1, y1, x2, y2). top[0]: how many RoIs each branch has, branch_num x 1 x 1 x 1;
    top[1]: for each RoI its number in its branch, and the branch, from 1: R x 2 x 1 x 1. A RoI whose area, of whole
    sides, is below split_area1 is of branch 1; of three branches one of up to split_area2 is of branch 2. In TRAIN the
    areas are drawn anew for each RoI, from Caffe's stream: on equal chances from a normal distribution of a third of
    fluctuation_range_large, or _small, rounded, until the first is not above the area, or the second not below; and not
    below by more than fluctuation_range_large.
    Nothing takes a gradient. Raises LayerError for other numbers of branches, and RoIs that are not finite.
    Source: ROISplitLayer of xw-hu/SINet, which draws by the time of day, and writes a third number behind two;
    Hu et al., SINet (2018), section III.
    """

    reads = ("roi_split_param",)
    origin = "SINet"
    top_count = (2, 2)
    no_gradient = (0,)
    has_backward = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.roi_split_param
        self.branches = read_branch_num(self, self.param.branch_num)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if bottom[0].count != 5 * bottom[0].num:
            raise self.error(
                f"bottom[0] has the shape {bottom[0].shape}; expected R x 5: image, x1, y1, x2, y2"
            )
        top[0].reshape(self.branches, 1, 1, 1)
        top[1].reshape(bottom[0].num, 2, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        branch = self._branches(bottom[0].data.reshape(-1, 5)[:, 1:])
        number = np.zeros(len(branch), int)
        for which in range(self.branches):
            number[branch == which] = np.arange(np.count_nonzero(branch == which))
        top[0].data[...] = np.bincount(branch, minlength=self.branches).reshape(top[0].shape)
        top[1].data[...] = np.stack([number, branch + 1], axis=1).reshape(top[1].shape)

    def _branches(self, boxes: np.ndarray) -> np.ndarray:
        """The branch of each box, from 0."""
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        wrong = np.flatnonzero(~(np.abs(sides) < 2**31).all(axis=1))
        if wrong.size:
            raise self.error(
                f"RoI {wrong[0]} has the corners {boxes[wrong[0]].tolist()}; expected finite pixels"
            )
        area = np.trunc(sides).astype(np.int64).prod(axis=1)
        limits = np.array([self._limits() for _ in area], np.int64).reshape(-1, 2)
        larger = area > limits[:, 1] if self.branches == 3 else False
        return np.where(area < limits[:, 0], 0, 1 + larger)

    def _limits(self) -> tuple[int, int]:
        first = self._limit(self.param.split_area1)
        return first, self._limit(self.param.split_area2) if self.branches == 3 else first

    def _limit(self, area: int) -> int:
        """The area at which a RoI is one of the next branch."""
        if self.phase != TRAIN:
            return area
        large, small = self.param.fluctuation_range_large, self.param.fluctuation_range_small
        drawn = np.zeros(1, np.float32)
        # which of both is drawn anew too: the one that is refused less often has the larger share
        while True:
            below = bool(caffe_rng().draw() & 1)
            spread = (large if below else small) // 3
            if spread:
                caffe_rng().gaussian(0, spread, drawn)
            moved = int(np.floor(drawn[0] + np.float32(0.5))) if spread else 0
            if moved <= 0 if below else moved >= 0:
                return max(area + moved, area - large)
