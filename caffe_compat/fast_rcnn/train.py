"""Gives a solver's Fast R-CNN nets their data, as the reference's train_net.py does."""

from __future__ import annotations

import os
import warnings

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.bbox_pred import store_unnormalized
from caffe_compat.fast_rcnn.build import OnPhoto, dataset_roidb, silent
from caffe_compat.fast_rcnn.classes import SUFFIX, as_text
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.feed import configuration_for, configure, data_layer
from caffe_compat.fast_rcnn.num_classes import check_num_classes
from caffe_compat.fast_rcnn.roidb import Roidb
from caffe_compat.fast_rcnn.source import minibatches
from caffe_compat.solvers import Solver


def train_on_dataset(
    solver: Solver,
    dataset: Dataset,
    cfg: Config | None = None,
    proposals: str | os.PathLike[str] | None = None,
    on_photo: OnPhoto = silent,
    skip_bad_images: bool = False,
) -> Roidb:
    """Let the solver's nets learn from a data set; its snapshots hold un-normalised weights of bbox_pred, and the names
    of the classes lie beside them (classes.py).

    A solver that takes none by itself (`snapshot: 0`, as the reference's) takes one every TRAIN.SNAPSHOT_ITERS.
    The RoI data layers of all nets, test nets too, serve minibatches of the roidb, each in an order of its own. The
    configuration is that of `feed.configuration_for`; the layers of all nets get their settings from it.
    Raises DataError where the net has no RoI data layer, and where `feed.configuration_for` or `build.dataset_roidb`
    does.
    """
    if data_layer(solver.net) is None:
        raise DataError(
            "the solver's net has no RoI data layer, so a devkit is nothing to it; leave --devkit out"
        )
    for net in (solver.net, *solver.test_nets):
        check_num_classes(net, dataset)
    cfg = configuration_for(solver.net, cfg)
    group = solver.workers.group if solver.workers else None
    roidb = dataset_roidb(dataset, cfg, proposals, on_photo, skip_bad_images, group=group)
    if not any(len(photo.gt_classes) for photo in roidb.photos):
        warnings.warn(
            f"{dataset.name}: no photo has an object to learn from; the net learns that all is background",
            stacklevel=2,
        )
    for net in (solver.net, *solver.test_nets):
        configure(net, cfg)
        layer = data_layer(net)
        if layer is not None:
            layer.set_source(minibatches(roidb, layer.num_classes))
    store_unnormalized(solver, roidb)
    solver.side_files[SUFFIX] = as_text(dataset.classes)
    _take_snapshots(solver, cfg)
    return roidb


def _take_snapshots(solver: Solver, cfg: Config) -> None:
    param, train = solver.param, cfg.TRAIN
    if train.SNAPSHOT_INFIX:
        param.snapshot_prefix = f"{solver.snapshot_prefix()}_{train.SNAPSHOT_INFIX}"
    if param.snapshot == 0:
        param.snapshot = train.SNAPSHOT_ITERS
        solver.check_snapshots()
