"""Gives a solver's Fast R-CNN nets their data, as the reference's train_net.py does."""

from __future__ import annotations

import os

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.bbox_pred import store_unnormalized
from caffe_compat.fast_rcnn.build import OnPhoto, dataset_roidb, silent
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.feed import configuration_for, configure, data_layer
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
    """Let the solver's nets learn from a data set; its snapshots hold bbox_pred un-normalised.

    Every RoI data layer, of test nets too, serves minibatches of the roidb, each in an order of its own.
    The configuration is `feed.configuration_for`'s; the layers of all nets take theirs from it.
    Raises DataError where the net has no RoI data layer, and as `feed.configuration_for` and `build.dataset_roidb` do.
    """
    if data_layer(solver.net) is None:
        raise DataError(
            "the solver's net has no RoI data layer, so a devkit is nothing to it; leave --devkit out"
        )
    cfg = configuration_for(solver.net, cfg)
    roidb = dataset_roidb(dataset, cfg, proposals, on_photo, skip_bad_images)
    for net in (solver.net, *solver.test_nets):
        configure(net, cfg)
        layer = data_layer(net)
        if layer is not None:
            layer.set_source(minibatches(roidb, layer.num_classes))
    store_unnormalized(solver, roidb)
    return roidb
