"""A small net as R-FCN trains it: position-sensitive maps, a vote, and the hardest RoIs, in numbers."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer

CLASSES, GROUP, KEPT = 5, 3, 9
NET = """
input: "data" input_shape { dim: 1 dim: 4 dim: 12 dim: 15 }
input: "proposals" input_shape { dim: 40 dim: 5 }
input: "gt_boxes" input_shape { dim: 3 dim: 5 }
layer { name: "roi-data" type: "Python" bottom: "proposals" bottom: "gt_boxes"
        top: "rois" top: "labels" top: "bbox_targets" top: "inside" top: "outside"
        python_param { module: "rpn.proposal_target_layer" layer: "ProposalTargetLayer" param_str: "num_classes: 2" } }
layer { name: "rfcn_cls" type: "Convolution" bottom: "data" top: "rfcn_cls"
        convolution_param { num_output: 45 kernel_size: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "rfcn_bbox" type: "Convolution" bottom: "data" top: "rfcn_bbox"
        convolution_param { num_output: 72 kernel_size: 1 weight_filler { type: "gaussian" std: 0.3 } } }
layer { name: "ps_cls" type: "PSROIPooling" bottom: "rfcn_cls" bottom: "rois" top: "ps_cls"
        psroi_pooling_param { spatial_scale: 0.125 output_dim: 5 group_size: 3 } }
layer { name: "ave_cls" type: "Pooling" bottom: "ps_cls" top: "cls_score"
        pooling_param { pool: AVE kernel_size: 3 stride: 3 } }
layer { name: "ps_bbox" type: "PSROIPooling" bottom: "rfcn_bbox" bottom: "rois" top: "ps_bbox"
        psroi_pooling_param { spatial_scale: 0.125 output_dim: 8 group_size: 3 } }
layer { name: "ave_bbox" type: "Pooling" bottom: "ps_bbox" top: "bbox_pred"
        pooling_param { pool: AVE global_pooling: true } }
layer { name: "per_roi_loss_cls" type: "SoftmaxWithLossOHEM" bottom: "cls_score" bottom: "labels"
        top: "temp_cls" top: "temp_prob" top: "per_roi_cls" loss_weight: 0 loss_weight: 0 loss_weight: 0
        propagate_down: false propagate_down: false }
layer { name: "per_roi_loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "bbox_targets" bottom: "inside"
        top: "temp_bbox" top: "per_roi_bbox" loss_weight: 0 loss_weight: 0
        propagate_down: false propagate_down: false propagate_down: false }
layer { name: "per_roi_loss" type: "Eltwise" bottom: "per_roi_cls" bottom: "per_roi_bbox" top: "per_roi"
        propagate_down: false propagate_down: false }
layer { name: "annotator" type: "BoxAnnotatorOHEM" bottom: "rois" bottom: "per_roi" bottom: "labels" bottom: "inside"
        top: "labels_ohem" top: "weights_ohem" box_annotator_ohem_param { roi_per_img: 9 ignore_label: -1 }
        propagate_down: false propagate_down: false propagate_down: false propagate_down: false }
layer { name: "silence" type: "Silence" bottom: "outside" bottom: "temp_cls" bottom: "temp_prob" bottom: "temp_bbox" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "cls_score" bottom: "labels_ohem" top: "loss_cls"
        loss_weight: 1 loss_param { ignore_label: -1 } propagate_down: true propagate_down: false }
layer { name: "loss_bbox" type: "SmoothL1LossOHEM" bottom: "bbox_pred" bottom: "bbox_targets" bottom: "weights_ohem"
        top: "loss_bbox" loss_weight: 1 loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 9 }
        propagate_down: true propagate_down: false propagate_down: false }
"""


@pytest.fixture
def net(tmp_path, monkeypatch):
    for name, value in (("batch_size", -1), ("agnostic", True), ("bg_thresh_lo", 0.0)):
        monkeypatch.setattr(ProposalTargetLayer, name, value)
    path = tmp_path / "rfcn.prototxt"
    path.write_text(NET)
    caffe.set_random_seed(1)
    net = caffe.Net(str(path), caffe.TRAIN)
    rng = np.random.RandomState(2)
    boxes = np.array([[8, 16, 55, 70, 4], [40, 5, 110, 60, 2], [30, 40, 100, 90, 1]])
    near = boxes[rng.randint(0, 3, 20), :4] + rng.uniform(-9, 9, (20, 4))
    corner = rng.uniform(0, 60, (20, 2))
    proposals = np.vstack([near, np.hstack([corner, corner + rng.uniform(10, 40, (20, 2))])])
    net.blobs["data"].data[...] = rng.standard_normal((1, 4, 12, 15))
    net.blobs["proposals"].data[...] = np.column_stack([np.zeros(40), proposals])
    net.blobs["gt_boxes"].data[...] = boxes
    return net


def forward(net):
    np.random.seed(3)
    net.forward()
    return {name: blob.data.astype(np.float64) for name, blob in net.blobs.items()}


def losses(blobs):
    """What each RoI costs: of its class, and of its box (every weight is 0 or 1)."""
    scores = blobs["cls_score"].reshape(-1, CLASSES)
    rows = np.arange(len(scores))
    of_class = np.log(np.exp(scores).sum(axis=1)) - scores[rows, blobs["labels"].astype(int)]
    distance = np.abs(blobs["bbox_pred"].reshape(-1, 8) - blobs["bbox_targets"]) * blobs["inside"]
    return of_class, np.where(distance < 1, distance**2 / 2, distance - 0.5).clip(0).sum(axis=1)


def test_the_hardest_rois_make_the_loss(net):
    blobs = forward(net)
    assert blobs["labels"].shape == (43,) and {0, 1, 2, 4} == set(blobs["labels"])
    of_class, of_box = losses(blobs)
    np.testing.assert_allclose(blobs["per_roi"], of_class + of_box, rtol=1e-5)
    hardest = np.argsort(-(of_class + of_box))[:KEPT]
    assert set(np.flatnonzero(blobs["labels_ohem"] >= 0)) == set(hardest)
    np.testing.assert_array_equal(blobs["weights_ohem"][hardest], blobs["inside"][hardest])
    assert of_box[hardest].any()
    np.testing.assert_allclose(blobs["loss_cls"], of_class[hardest].mean(), rtol=1e-5)
    np.testing.assert_allclose(blobs["loss_bbox"], of_box[hardest].sum() / KEPT, rtol=1e-5)


def test_the_vote_is_the_mean_of_the_bins(net):
    blobs = forward(net)
    for maps, bins, vote in (("rfcn_cls", "ps_cls", "cls_score"), ("rfcn_bbox", "ps_bbox", "bbox_pred")):
        np.testing.assert_allclose(blobs[vote][..., 0, 0], blobs[bins].mean(axis=(2, 3)), atol=1e-6)
        r, (_, x1, y1, x2, y2) = 7, np.floor(blobs["rois"][7] + 0.5)
        left, upper, right, lower = np.array([x1, y1, x2 + 1, y2 + 1]) / 8
        for i in range(GROUP):
            for j in range(GROUP):
                top, bottom = upper + (lower - upper) * i / GROUP, upper + (lower - upper) * (i + 1) / GROUP
                start, end = left + (right - left) * j / GROUP, left + (right - left) * (j + 1) / GROUP
                rows = slice(int(np.floor(top)), int(np.ceil(bottom)))
                columns = slice(int(np.floor(start)), int(np.ceil(end)))
                window = blobs[maps][0, 3 * i + j :: 9, rows, columns]
                np.testing.assert_allclose(blobs[bins][r, :, i, j], window.mean(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize("name", ["rfcn_cls", "rfcn_bbox"])
def test_gradients(net, name):
    """Along the gradient and a random direction, by central differences of the losses of the same RoIs."""
    kept = forward(net)["labels_ohem"] >= 0
    net.clear_param_diffs()
    net.backward()
    filters = net.params[name][0]
    gradient, random = filters.diff.copy(), np.random.RandomState(8).standard_normal(filters.shape)
    direction = gradient / np.linalg.norm(gradient) + random / np.linalg.norm(random)
    slope = float((filters.diff * direction).sum())
    start, ends = filters.data.copy(), []
    for step in (5e-2, -5e-2):
        filters.data[...] = start + step * direction
        of_class, of_box = losses(forward(net))
        ends.append(of_class[kept].mean() + of_box[kept].sum() / KEPT)
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 1e-1, rtol=2e-3)
    assert abs(slope) > 1e-2


@pytest.mark.parametrize("loss, weights", [("SmoothL1Loss", 2), ("SmoothL1LossOHEM", 1)])
def test_weights_from_what_learns_are_no_error_and_get_nothing(tmp_path, loss, weights):
    """As the RPN has them: its targets come from a layer that also sees the scores."""
    text = f"""
        input: "data" input_shape {{ dim: 2 dim: 3 }} input: "target" input_shape {{ dim: 2 dim: 4 }}
        layer {{ name: "pred" type: "InnerProduct" bottom: "data" top: "pred"
                inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
        layer {{ name: "weight" type: "InnerProduct" bottom: "data" top: "weight"
                inner_product_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
        layer {{ name: "loss" type: "{loss}" bottom: "pred" bottom: "target" {'bottom: "weight" ' * weights}
                top: "loss" }}
    """
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    net = caffe.Net(str(path), caffe.TRAIN)
    net.blobs["data"].data[...] = [[1, 2, 3], [-4, 5, 6]]
    net.clear_param_diffs()
    net.forward()
    net.backward()
    assert net.params["pred"][0].diff.any() and not net.params["weight"][0].diff.any()
