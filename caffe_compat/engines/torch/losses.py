"""Losses: scalars, normalised as the project's own layers do."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from caffe_compat.blob import Blob
from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.devices import is_host
from caffe_compat.engines.torch.layer import TorchLayer, shaped
from caffe_compat.layers.base import Layer, around_axis
from caffe_compat.layers.common.loss import (
    BATCH_SIZE,
    FULL,
    NONE,
    PRE_FIXED,
    VALID,
    class_labels,
    ignored_label,
    normalization_mode,
)
from caffe_compat.prototxt.caffe_pb2 import LossParameter

IGNORED = -(2**62) - 1  # in the place of the label that is ignored: no float is equal to it
LEAST_LOG = float(np.log(np.finfo(np.float32).tiny))  # C's FLT_MIN: no label costs more than 87.3365


@converts("SoftmaxWithLoss", "SoftmaxWithLossOHEM")
def softmax_with_loss(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, x = this.layer.layer_param.loss_param, bottoms[0]
    outer, classes, inner = around_axis(x.shape, this.layer.layer_param.softmax_param.axis % x.ndim)
    ignored, mode = ignored_label(param), normalization_mode(param)
    labels = _whole(bottoms[1], ignored)
    if inner > 1:
        labels = labels.reshape(outer, inner)
    logs = torch.log_softmax(shaped(x, (outer, classes, *labels.shape[1:])), 1)
    if not is_host(x.device):
        _check(this.layer, bottoms[1], classes, ignored)
    try:
        costs = F.nll_loss(logs, labels, ignore_index=IGNORED, reduction="none")
    except IndexError:
        _check(this.layer, bottoms[1], classes, ignored)
        raise
    costs.detach().clamp_(max=-LEAST_LOG)  # what is clamped keeps its gradient, as in Caffe
    if param.weight_by_label_freqs:
        costs = costs * _label_weights(param, labels, classes)
    if mode == VALID and ignored is None:
        mode = FULL
    if mode == FULL:
        tops = [costs.mean()]
    else:
        tops = [costs.sum() / normalizer(mode, outer, inner, labels >= 0, param)]
    if len(this.shapes) > 1:
        tops.append(logs.detach().exp().reshape(this.shapes[1]))
    if len(this.shapes) > 2:
        tops.append(costs.detach().reshape(this.shapes[2]))
    return tops


def _label_weights(param: LossParameter, labels: Tensor, classes: int) -> Tensor:
    """What each label counts: its class's weight, or without weights one over how often it occurs."""
    weights = torch.tensor(list(param.class_weighting), device=labels.device)
    if not param.class_weighting:
        counts = torch.bincount(labels[labels >= 0], minlength=classes)
        weights = 1 / counts.clamp(min=1).float()
    return weights[labels.clamp(min=0)]


@converts("SoftmaxWithBalanceLoss")
def softmax_with_balance_loss(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, x = this.layer.layer_param.loss_param, bottoms[0]
    outer, classes, inner = around_axis(x.shape, this.layer.layer_param.softmax_param.axis % x.ndim)
    ignored, given = ignored_label(param), bottoms[1].reshape(outer, inner)
    given = given.masked_fill((given >= classes) & given.isfinite(), 0)
    _check(this.layer, given, classes, ignored)
    labels, is_positive = _whole(given, ignored).reshape(outer, inner), given >= 1
    logs = torch.log_softmax(shaped(x, (outer, classes, inner)), 1)
    costs = F.nll_loss(logs, labels, ignore_index=IGNORED, reduction="none")
    costs.detach().clamp_(max=-LEAST_LOG)
    counts = labels >= 0
    share = (is_positive & counts).sum() / counts.sum().clamp(min=1)
    so_far = is_positive.float().mean(1).cumsum(0) / torch.arange(1, outer + 1, device=x.device)
    slope = costs * torch.where(is_positive, 1 - so_far[:, None], so_far[:, None])
    loss = (costs * torch.where(is_positive, 1 - share, share)).detach() + slope - slope.detach()
    tops = [loss.sum() / normalizer(normalization_mode(param), outer, inner, counts, param)]
    return tops + [logs.detach().exp().reshape(shape) for shape in this.shapes[1:]]


@converts("SmoothL1Loss")
def smooth_l1_loss(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param = this.layer.layer_param.loss_param
    pred, target, *weights = (x.reshape(-1) for x in bottoms)
    sigma2 = this.layer.layer_param.smooth_l1_loss_param.sigma**2
    distance = pred - target
    if weights:
        # a gradient is not multiplied by the weights where there are no outside weights, as in Fast R-CNN's first
        weighted = weights[0] * distance
        distance = weighted if len(weights) > 1 else distance + (weighted - distance).detach()
    size = distance.abs()
    costs = torch.where(size < 1 / sigma2, 0.5 * sigma2 * distance.square(), size - 0.5 / sigma2)
    costs = weights[1] * costs if len(weights) > 1 else costs
    rows, channels = bottoms[0].shape[0], bottoms[0].shape[1] if bottoms[0].ndim > 1 else 1
    each = costs.reshape(rows, channels, -1).sum(1)
    divisor = normalizer(
        normalization_mode(param, BATCH_SIZE), rows, each.shape[1], torch.ones_like(each), param
    )
    return [costs.sum() / divisor, *(each.detach().reshape(shape) for shape in this.shapes[1:])]


@converts("EuclideanLoss")
def euclidean_loss(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    difference = bottoms[0].reshape(-1) - bottoms[1].reshape(-1)
    return [difference.square().sum() / (2 * len(bottoms[0]))]


@converts("L1Loss")
def l1_loss(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    return [(bottoms[0].reshape(-1) - bottoms[1].reshape(-1)).abs().sum() / len(bottoms[0])]


@converts("SigmoidCrossEntropyLoss")
def sigmoid_cross_entropy_loss(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    param, (x, target) = this.layer.layer_param.loss_param, (b.reshape(-1) for b in bottoms)
    ignored, examples = ignored_label(param), len(bottoms[0])
    counts = torch.full_like(x, True, dtype=torch.bool) if ignored is None else target.trunc() != ignored
    costs = torch.where(counts, F.binary_cross_entropy_with_logits(x, target, reduction="none"), 0)
    mode = normalization_mode(param, BATCH_SIZE)
    return [costs.sum() / normalizer(mode, examples, x.numel() // examples, counts, param)]


def normalizer(mode: int, outer: int, inner: int, counts: Tensor, param: LossParameter) -> float | Tensor:
    """The number that a loss is divided by, at least 1; see layers/common/loss.py. counts: which labels count."""
    fixed: dict[int, float] = {
        FULL: outer * inner,
        BATCH_SIZE: outer,
        NONE: 1,
        PRE_FIXED: param.pre_fixed_normalizer,
    }
    return max(1, fixed[mode]) if mode in fixed else counts.sum().clamp(min=1)


def whole_labels(layer: Layer, labels: Tensor, classes: int) -> Tensor:
    """The labels as flat int64. Raises LayerError for one that is no class."""
    _check(layer, labels, classes, None)
    return _whole(labels, None)


def _whole(labels: Tensor, ignore: int | None) -> Tensor:
    whole = labels.flatten().long()  # fractions are cut off, as in C
    return whole if ignore is None else whole.masked_fill(whole == ignore, IGNORED)


def _check(layer: Layer, labels: Tensor, classes: int, ignore: int | None) -> None:
    if ignore is not None:
        labels = labels.masked_fill(labels.long() == ignore, 0)
    low, high = map(float, labels.aminmax()) if labels.numel() else (0, 0)
    if not (low > -1 and high < classes):
        class_labels(layer, on_host(labels), classes)  # says which


def on_host(tensor: Tensor) -> Blob:
    """A blob on the host with these values."""
    blob = Blob(tensor.shape)
    blob.data[...] = tensor.detach().cpu().numpy()
    return blob
