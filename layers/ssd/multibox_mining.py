"""Which of SSD's prior boxes are hard."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import cut_off
from caffe_compat.layers.kernels.nms import nms_of_parts
from caffe_compat.layers.kernels.prior_matches import IGNORED, NOTHING
from caffe_compat.prototxt.caffe_pb2 import MultiBoxLossParameter as Param

LEAST_AREA = 1e-5  # a smaller box is left out of the NMS


def check_mining(layer: Layer, param: Param) -> None:
    """Raise LayerError where the params of mining do not fit together."""
    mines = param.mining_type != Param.NONE
    if param.HasField("do_neg_mining") and param.do_neg_mining != mines:
        raise layer.error(
            f"do_neg_mining is {str(param.do_neg_mining).lower()}, mining_type "
            f"{Param.MiningType.Name(param.mining_type)}; drop do_neg_mining, which is deprecated"
        )
    if mines and not param.share_location:
        raise layer.error("mining needs share_location; set mining_type: NONE, or share_location: true")
    if param.mining_type == Param.HARD_EXAMPLE and param.sample_size < 1:
        raise layer.error(f"sample_size is {param.sample_size}; it must be at least 1")
    if mines and _suppresses(param) and not param.nms_param.HasField("top_k"):
        raise layer.error(
            "nms_param has no top_k, with which Caffe takes 0 and mines nothing; give it (-1: all)"
        )


def choose(
    param: Param,
    loss: np.ndarray,
    matches: np.ndarray,
    overlaps: np.ndarray,
    boxes: np.ndarray,
    hard: np.ndarray,
) -> np.ndarray:
    """Which of the P priors of an image with objects count (bool). All arrays are P, boxes P x 4.

    hard: which may be mined at all.
    Source: MineHardExamples of the SSD fork of Caffe; Liu et al., SSD (2016), section 2.2.
    """
    chosen = np.zeros(loss.size, bool)
    if param.mining_type == Param.HARD_EXAMPLE:
        rows, most = np.flatnonzero(hard), param.sample_size
    else:
        chosen = matches >= 0
        rows = np.flatnonzero((matches == NOTHING) & (overlaps < param.neg_overlap) & hard)
        most = cut_off(np.float32(chosen.sum()) * np.float32(param.neg_pos_ratio))
    order = rows[np.argsort(-loss[rows], kind="stable")]
    if _suppresses(param):
        order = _suppress(order, boxes, param)
    chosen[order[:most]] = True
    return chosen & (matches != IGNORED)


def _suppresses(param: Param) -> bool:
    return param.HasField("nms_param") and param.nms_param.nms_threshold > 0


def _suppress(order: np.ndarray, boxes: np.ndarray, param: Param) -> np.ndarray:
    kind = boxes.dtype.type
    if param.nms_param.top_k >= 0:
        order = order[: param.nms_param.top_k]
    sizes = boxes[order, 2:] - boxes[order, :2]
    order = order[(sizes >= 0).all(axis=1) & (sizes.prod(axis=1) >= LEAST_AREA)]
    keep = np.empty(order.size, bool)
    nms_of_parts(boxes[order], kind(param.nms_param.nms_threshold), kind(1), keep)
    return order[keep]
