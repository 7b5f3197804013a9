"""Hard RoI mining: on a CPU by layers/fast_rcnn/hard_roi_mining.py, on another device the same RoIs in the same order.

There, of arrays only the losses and which RoIs were chosen come to the host, where people ask the layer for them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from caffe_compat.blob import Blob
from caffe_compat.engines.torch.converters import converts
from caffe_compat.engines.torch.devices import is_host
from caffe_compat.engines.torch.layer import TorchLayer
from caffe_compat.engines.torch.losses import on_host, whole_labels
from caffe_compat.layers.fast_rcnn.hard_roi_mining import HardRoIMining
from caffe_compat.layers.kernels.roi_losses import LEAST_PROBABILITY


@converts("HardRoIMining", traceable=False)
def hard_roi_mining(this: TorchLayer, params: list[Tensor], bottoms: list[Tensor]) -> list[Tensor]:
    layer = this.layer
    assert isinstance(layer, HardRoIMining)
    if is_host(bottoms[0].device):
        tops = [Blob() for _ in this.shapes]
        layer.forward([on_host(bottom) for bottom in bottoms], tops)
        return [torch.from_numpy(top.data) for top in tops]
    rois, labels = bottoms[2].reshape(-1, 5), bottoms[3]
    loss = roi_losses(layer, bottoms)
    if layer.use_nms:
        rows = without_overlaps(rois, labels.reshape(-1), loss.float(), layer.nms_thresh)
    else:
        rows = torch.arange(len(loss), device=loss.device)
    hardest = torch.argsort(loss[rows], stable=True).flip(0)
    selected = rows[hardest[: layer.batch_size]]
    layer.selected, layer.losses = selected.cpu().numpy(), loss.cpu().numpy()
    return [all_rows[selected] for all_rows in bottoms[2:]]


def roi_losses(layer: HardRoIMining, bottoms: list[Tensor]) -> Tensor:
    """The loss of each of R RoIs, float64: the logarithm and the weighted difference are computed in float32, the
    smooth L1 loss and the sums in float64. Raises LayerError as the layer does."""
    count = len(bottoms[2].reshape(-1, 5))
    if count == 0:
        raise layer.error("there are no RoIs to choose from")
    labels = whole_labels(layer, bottoms[3], layer.num_classes)
    prob, pred, target, inside, outside = (bottoms[i].reshape(count, -1) for i in (0, 1, 4, 5, 6))
    chance = prob.gather(1, labels[:, None])[:, 0]
    log = chance.double().log().float().double()  # of float32, rounded as C's logf does
    loss = torch.where(chance < LEAST_PROBABILITY, -math.log(LEAST_PROBABILITY), -log)
    distance = (inside * (pred - target)).abs().double()
    robust = torch.where(distance < 1, 0.5 * distance * distance, distance - 0.5)
    boxes = torch.where(inside != 0, outside.double() * robust, 0).sum(1)
    loss = loss + torch.where(labels > 0, boxes, 0)
    if not bool(torch.isfinite(loss).all()):
        layer._losses([on_host(bottom) for bottom in bottoms])  # says which
    return loss


def without_overlaps(rois: Tensor, labels: Tensor, loss: Tensor, threshold: float) -> Tensor:
    """The rows that NMS leaves, ordered by image, then by label, then by descending loss; of equal losses the last row
    comes first."""
    order = torch.argsort(loss, stable=True)
    for key in (-labels, -rois[:, 0]):
        order = order[torch.argsort(key[order], stable=True)]
    order = order.flip(0)
    boxes, image, label = rois[order, 1:], rois[order, 0], labels[order]
    same = (image[:, None] == image) & (label[:, None] == label)
    # boxes[i] comes before boxes[j], and removes it if it stays itself
    beats = torch.triu(same & (iou(boxes) > threshold), diagonal=1)
    keep = torch.ones_like(order, dtype=torch.bool)
    while True:  # row i has settled after at most i rounds; in practice a few are enough
        kept = ~(beats & keep[:, None]).any(0)
        if torch.equal(kept, keep):
            return order[keep]
        keep = kept


def iou(boxes: Tensor) -> Tensor:
    """Intersection over union of each box (N x 4 in pixels, both corners inside) with each, in float32."""
    x1, y1, x2, y2 = boxes.unbind(1)
    width = torch.minimum(x2[:, None], x2) - torch.maximum(x1[:, None], x1) + 1
    height = torch.minimum(y2[:, None], y2) - torch.maximum(y1[:, None], y1) + 1
    both = width.clamp(min=0) * height.clamp(min=0)
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    return torch.where((width > 0) & (height > 0), both / (area[:, None] + area - both), 0)
