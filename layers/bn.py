"""BN: batch normalisation that learns its scale and shift, in the two forms that forks of Caffe gave this name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.common import channels
from caffe_compat.layers.common.in_place import InPlaceLayer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import BNParameter, FillerParameter, LayerParameter

SEGNET = ("bn_mode", "scale_filler", "shift_filler")
PSPNET = ("slope_filler", "bias_filler", "momentum", "eps", "frozen", "moving_average")
SEGNET_EPS = 1e-9


@register("BN")
class BN(InPlaceLayer):
    """scale (x - mean) / sqrt(variance + eps) + shift, channel by channel; bn_param says which form it is.

    bottom: N x C x anything. Statistics of a batch are its mean and its mean square distance from that. In place
    allowed.

    PSPNet's, also without a bn_param. params, 1 x C x 1 x 1 each: slope (slope_filler), bias (bias_filler), and moving
    averages of the mean and of the variance, which are not learned: their lr_mult and decay_mult become 0. Training
    goes by the batch's statistics, and sets a moving average to momentum times itself plus 1 - momentum times the
    batch's; testing goes by the moving averages, or with moving_average: false by the batch's statistics. frozen: goes
    always by the moving averages, nothing is learned. The averages start as 0, a frozen variance as 1. A gradient
    taken in testing is the one of training with the moving averages in place of the batch's, as there.

    SegNet's, where bn_param has bn_mode, scale_filler or shift_filler. params, 1 x C x 1 x 1 each: scale and shift.
    bn_mode LEARN: the batch's statistics, with eps 1e-9, in training and testing alike; top[1] and top[2], if wanted:
    that mean and that variance, 1 x C x 1 x 1, from which no gradient is taken. bn_mode INFERENCE: scale x + shift;
    top[1] and top[2] are 0.

    Raises LayerError for fields of both forms, and for an empty batch.

    Source: BNLayer of yjxiong's Caffe (TSN) and PSPNet, and that of SegNet's; Ioffe and Szegedy (2015).
    """

    reads: tuple[str, ...] = ("bn_param",)
    top_count = (1, 3)
    origin = "SegNet, PSPNet"

    def __init__(self, layer_param: LayerParameter, phase: int = TRAIN, dtype=np.float32):
        super().__init__(layer_param, phase, dtype)
        param = layer_param.bn_param
        self.is_segnet = any(map(param.HasField, SEGNET))
        self.only_affine = self.is_segnet and param.bn_mode == BNParameter.INFERENCE
        self.frozen = param.frozen and not self.is_segnet
        of_averages = self.frozen or (phase == TEST and param.moving_average)
        self.use_averages = of_averages and not self.is_segnet

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.bn_param
        given = {field.name for field, _ in param.ListFields()}
        theirs, others = given & set(SEGNET), given & set(PSPNET)
        if theirs and others:
            raise self.error(
                f"bn_param has {min(theirs)} of SegNet's BN and {min(others)} of PSPNet's; they are two layers: keep "
                "the fields of one"
            )
        if not self.is_segnet and len(top) > 1:
            raise self.error("only SegNet's BN has tops for mean and variance; remove them")
        shape = (1, bottom[0].channels, 1, 1)
        if self.is_segnet:
            self.eps = bottom[0].dtype.type(SEGNET_EPS)
            set_up_params(self, (shape, param.scale_filler), (shape, param.shift_filler))
            return
        self.eps, self.momentum = map(bottom[0].dtype.type, (param.eps, param.momentum))
        variance = FillerParameter(value=float(param.frozen))
        fillers = param.slope_filler, param.bias_filler, FillerParameter(), variance
        set_up_params(self, *((shape, filler) for filler in fillers))
        self._fix_params()

    def _fix_params(self) -> None:
        specs = self.layer_param.param
        while len(specs) < 4:
            specs.add()
        for spec in specs[0 if self.frozen else 2 :]:
            spec.lr_mult = spec.decay_mult = 0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if bottom[0].channels != self.blobs[0].count:
            raise self.error(
                f"the bottom {shape} has {bottom[0].channels} channels, the params {self.blobs[0].count}"
            )
        if not (self.use_averages or self.only_affine) and bottom[0].count == 0:
            raise self.error(f"the bottom has the shape {shape}: there is nothing to take the statistics of")
        for blob in top[1:]:
            blob.reshape(1, bottom[0].channels, 1, 1)
        self.view = bottom[0].num, bottom[0].channels, math.prod(shape[2:])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data.reshape(self.view), top[0].data.reshape(self.view)
        kept = None if self.frozen else self.room_to_keep(bottom, top)
        scale, shift = self.scale_and_shift()
        if self.use_averages or self.only_affine:
            self.mean, self.factor = self.fixed_stats()
            variance = np.zeros_like(self.mean)
            channels.affine(x, self.factor * scale, y, self.mean, shift, kept)
        else:
            self.mean, variance, self.factor = channels.standardize(x, self.eps, y, kept, scale, shift)
            self._remember(variance)
        for blob, values in zip(top[1:], (self.mean, variance), strict=False):
            blob.data[...] = values.reshape(blob.shape)

    def scale_and_shift(self) -> tuple[np.ndarray, np.ndarray]:
        """The first two params, flat."""
        return self.blobs[0].data.reshape(-1), self.blobs[1].data.reshape(-1)

    def fixed_stats(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each channel the mean, and one over the standard deviation, where they do not depend on the batch."""
        if self.only_affine:
            ones = np.ones(self.blobs[0].count, self.blobs[0].dtype)
            return np.zeros_like(ones), ones
        mean, variance = (blob.data.reshape(-1) for blob in self.blobs[2:])
        return mean.copy(), 1 / np.sqrt(variance + self.eps)

    def _remember(self, variance: np.ndarray) -> None:
        if self.is_segnet or self.phase == TEST:
            return
        for blob, value in zip(self.blobs[2:], (self.mean, variance), strict=True):
            blob.data[...] = blob.data * self.momentum + (1 - self.momentum) * value.reshape(blob.shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diff, scale = top[0].diff.reshape(self.view), self.scale_and_shift()[0]
        x_diff = bottom[0].diff.reshape(self.view) if propagate_down[0] and bottom[0].count else None
        is_affine = self.frozen or self.only_affine
        moves = None if is_affine else x_diff  # through the statistics too
        if moves is not None or (not self.frozen and (self.propagates_to(0) or self.propagates_to(1))):
            x = self.kept_input(bottom, top).reshape(self.view)
            sums = channels.standardize_backward(x, self.mean, self.factor, diff, moves, scale)
            self._add_param_diffs(*sums)
        if is_affine and x_diff is not None:
            channels.affine(diff, self.factor * scale, x_diff)

    def _add_param_diffs(self, total: np.ndarray, product: np.ndarray) -> None:
        for i, values in enumerate((product * self.factor, total)):
            if self.propagates_to(i):
                self.blobs[i].diff[...] += values.reshape(self.blobs[i].shape)
