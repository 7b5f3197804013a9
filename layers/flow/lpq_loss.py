"""LpqLoss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.flow.missing_loss import MissingLoss
from caffe_compat.layers.registry import register


@register("LpqLoss")
class LpqLoss(MissingLoss):
    """Sum over pixels of (sum over channels of (distance + p_epsilon)^p + q_epsilon)^q, over the number of images
    (lpq_loss_param).

    bottoms: N x C x H x W, the second, if there is one, subtracted from the first; NaN, which is a missing target, is a
    distance of 0 without a gradient. The inner sum is a mean with l2_prescale_by_channels.
    normalize_by_num_entries divides by the number of distances that are not missing, over C, instead. With several p
    and q the next ones count from the iterations pq_episode_starts_at_iter on; iterations are this layer's forwards in
    phase TRAIN, while in phase TEST the first ones count. Raises LayerError for shapes that differ, and for lists that
    do not fit to each other.

    Source: LpqLossLayer of lmb-freiburg/flownet2, its GPU kernels: there are none for the CPU. Without any target it
    divides by 0; here by 1.
    """

    reads = ("lpq_loss_param",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.lpq_loss_param
        self.starts = list(param.pq_episode_starts_at_iter) or [0]
        if not len(self.starts) == len(param.p) == len(param.q):
            raise self.error(
                f"there are {len(self.starts)} pq_episode_starts_at_iter, {len(param.p)} p and {len(param.q)} q; give "
                "one of each for an episode"
            )
        if self.starts[0] or sorted(set(self.starts)) != self.starts:
            raise self.error(f"pq_episode_starts_at_iter is {self.starts}; it must begin with 0 and ascend")
        self.forwards = 0

    def get_state(self) -> dict[str, np.ndarray]:
        return {"forwards": np.array(self.forwards)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.forwards = int(state["forwards"])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.lpq_loss_param
        self.episode = sum(start <= self.forwards for start in self.starts) - 1
        self.forwards += self.phase == TRAIN
        difference, known = self.difference(bottom)
        losses = self._inner(bottom, difference) ** self.dtype(param.q[self.episode])
        top[0].data[...] = losses.sum(dtype=np.float64) / self.divisor(known, param.normalize_by_num_entries)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        param = self.layer_param.lpq_loss_param
        p, q = self.dtype(param.p[self.episode]), self.dtype(param.q[self.episode])
        difference, known = self.difference(bottom)
        base = np.abs(difference) + self.dtype(param.p_epsilon)
        outer = _slope(self._inner(bottom, difference), q)
        outer *= self.dtype(self.channel_scale(bottom, param.l2_prescale_by_channels))
        gradient = np.where(difference > 0, 1, -1) * known * _slope(base, p) * outer
        divisor = self.dtype(self.divisor(known, param.normalize_by_num_entries))
        self.write_gradient(gradient.astype(self.dtype) / divisor, top, propagate_down, bottom)

    def _inner(self, bottom: Sequence[Blob], difference: np.ndarray) -> np.ndarray:
        """Of each pixel the sum over the channels, N x 1 x H x W, and q_epsilon."""
        param = self.layer_param.lpq_loss_param
        distances = np.abs(difference) + self.dtype(param.p_epsilon)
        sums = (distances ** self.dtype(param.p[self.episode])).sum(axis=1, keepdims=True)
        scale = self.dtype(self.channel_scale(bottom, param.l2_prescale_by_channels))
        return sums * scale + self.dtype(param.q_epsilon)


def _slope(base: np.ndarray, power: np.floating) -> np.ndarray:
    """The derivative of base^power; 0 at 0, where it may have none."""
    return np.where(base > 0, power * np.where(base > 0, base, 1) ** (power - 1), power * (power == 1))
