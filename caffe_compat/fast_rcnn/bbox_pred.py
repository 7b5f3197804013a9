"""Nets learn normalised box targets; the reference's snapshots hold weights that give boxes as they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.net import Net
from caffe_compat.solvers import Solver

LAYER = "bbox_pred"


def store_unnormalized(solver: Solver, roidb: Roidb) -> None:
    """Let the solver's .caffemodels hold un-normalised weights of bbox_pred where the net learns normalised targets.

    Source: the reference's fast_rcnn/train.py, SolverWrapper.
    """
    train = roidb.cfg.TRAIN
    if train.BBOX_REG and train.BBOX_NORMALIZE_TARGETS and LAYER in solver.net.params:
        solver.weight_exports[LAYER] = partial(unnormalized, means=roidb.means, stds=roidb.stds)


def unnormalized(params: Sequence[np.ndarray], means: np.ndarray, stds: np.ndarray) -> list[np.ndarray]:
    """The weights (outputs x inputs) and the bias (outputs) that give outputs * stds + means. Raises DataError."""
    weights, bias = _checked(params, stds)
    return [
        (weights * stds.reshape(-1, 1)).astype(weights.dtype).reshape(params[0].shape),
        (bias * stds + means).astype(bias.dtype).reshape(params[1].shape),
    ]


def normalize(net: Net, means: np.ndarray, stds: np.ndarray) -> None:
    """Undo `unnormalized` in a net that has loaded such weights, so that it can go on learning.

    Rows with a standard deviation of 0 (the background's) cannot be restored, and stay as they are; so does a net
    without bbox_pred. Raises DataError.
    """
    if LAYER not in net.params:
        return
    params = [blob.data for blob in net.params[LAYER]]
    weights, bias = _checked(params, stds)
    rows = stds > 0
    weights[rows] /= stds[rows, None]
    bias[rows] = (bias[rows] - means[rows]) / stds[rows]


def _checked(params: Sequence[np.ndarray], stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(params) != 2 or params[1].size != len(stds):
        shapes = [param.shape for param in params]
        raise DataError(
            f"{LAYER} has params of the shapes {shapes}; expected weights and a bias of {len(stds)} outputs, four for "
            "each class of the data"
        )
    return params[0].reshape(len(stds), -1), params[1].reshape(-1)
