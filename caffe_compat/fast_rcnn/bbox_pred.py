"""Nets learn normalised box targets; the reference's snapshots hold weights that give boxes as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import TrainConfig
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.net import Net
from caffe_compat.solvers import Solver

LAYER, RFCN_LAYER, RPN_LAYER = "bbox_pred", "rfcn_bbox", "rpn_bbox_pred"  # of Fast R-CNN, of R-FCN, of an RPN


def store_unnormalized(solver: Solver, roidb: Roidb) -> None:
    """Let the solver's .caffemodels hold un-normalised weights where the net learns normalised targets.

    They are those of bbox_pred, or R-FCN's rfcn_bbox, and, with RPN_NORMALIZE_TARGETS, of rpn_bbox_pred. Raises
    DataError where one has not as many outputs as there are targets.

    Source: the fast_rcnn/train.py of the reference and of py-R-FCN, SolverWrapper.
    """
    train, params = roidb.cfg.TRAIN, solver.net.params
    exports = {}
    if train.BBOX_REG and train.BBOX_NORMALIZE_TARGETS:
        exports = {name: (roidb.means, roidb.stds) for name in (LAYER, RFCN_LAYER) if name in params}
    if train.RPN_NORMALIZE_TARGETS and RPN_LAYER in params:
        exports[RPN_LAYER] = _of_anchors(params[RPN_LAYER][-1].count, train)
    for name, (means, stds) in exports.items():
        unnormalized([blob.data for blob in params[name]], means, stds, name)
        solver.weight_exports[name] = partial(unnormalized, means=means, stds=stds, name=name)


def unnormalized(
    params: Sequence[np.ndarray], means: np.ndarray, stds: np.ndarray, name: str = LAYER
) -> list[np.ndarray]:
    """The weights (outputs x ...) and the bias (outputs) that give outputs * stds + means.

    There are as many as means; in rfcn_bbox r times as many, and r in a row, the bins of its maps, belong to each
    mean. Raises DataError, with the layer's name, where there are not.
    """
    weights, bias, means, stds = _checked(params, means, stds, name)
    return [
        (weights * stds[:, None]).astype(weights.dtype).reshape(params[0].shape),
        (bias * stds + means).astype(bias.dtype).reshape(params[1].shape),
    ]


def normalize(net: Net, means: np.ndarray, stds: np.ndarray) -> None:
    """Undo `unnormalized` in a net that has loaded such weights of bbox_pred or rfcn_bbox, so that it goes on learning.

    Rows with a standard deviation of 0 (the background's) cannot be restored, and stay as they are. Raises DataError.
    """
    for name in (LAYER, RFCN_LAYER):
        if name in net.params:
            params = [blob.data for blob in net.params[name]]
            weights, bias, its_means, its_stds = _checked(params, means, stds, name)
            rows = its_stds > 0
            weights[rows] /= its_stds[rows, None]
            bias[rows] = (bias[rows] - its_means[rows]) / its_stds[rows]


def _of_anchors(outputs: int, train: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    means, stds = np.array(train.RPN_NORMALIZE_MEANS), np.array(train.RPN_NORMALIZE_STDS)
    return np.tile(means, outputs // 4), np.tile(stds, outputs // 4)


def _checked(
    params: Sequence[np.ndarray], means: np.ndarray, stds: np.ndarray, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights as outputs x inputs, the bias, and a mean and a std for each output."""
    bins, rest = divmod(params[-1].size, len(stds))
    if len(params) != 2 or rest or bins < 1 or (bins > 1 and name != RFCN_LAYER):
        shapes = [param.shape for param in params]
        each = " for each bin" if name == RFCN_LAYER else ""
        raise DataError(
            f"{name} has params of the shapes {shapes}; expected weights and a bias of {len(stds)} outputs{each}, four "
            "for each class of the data (with TRAIN.AGNOSTIC, for the background and for all else)"
        )
    weights = params[0].reshape(params[1].size, -1)
    return weights, params[1].reshape(-1), np.repeat(means, bins), np.repeat(stds, bins)
