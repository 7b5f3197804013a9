"""R-FCN's boxes for foreground as such (AGNOSTIC), its normalised targets of the RPN, and its snapshots, in numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import run_prototxt
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.bbox_pred import normalize, store_unnormalized, unnormalized
from caffe_compat.fast_rcnn.config import cfg_from_list
from caffe_compat.fast_rcnn.detect import Detector, im_detect
from caffe_compat.fast_rcnn.minibatch import minibatch
from caffe_compat.fast_rcnn.shapes import make_shapes
from fast_rcnn.drawn import picture
from fast_rcnn.golden import recorded_roidb
from fast_rcnn.nets import TINY_RPN_TEST, TINY_TEST, tiny_test_net

PHOTO = np.zeros((375, 500, 3), np.uint8)  # as large as those of the recorded roidb
AGNOSTIC = ["TRAIN.AGNOSTIC", "True"]
ALL = [*AGNOSTIC, "TRAIN.BATCH_SIZE", "-1", "TRAIN.IMS_PER_BATCH", "1", "TRAIN.BG_THRESH_LO", "0.0"]
RPN_STDS = "(0.5,0.25,2.0,4.0)"


def test_means_and_stds_are_of_all_foreground():
    plain = recorded_roidb(cfg_from_list(["TRAIN.BBOX_NORMALIZE_TARGETS", "False"]))
    rows = np.concatenate([entry.bbox_targets for entry in plain])
    targets = rows[rows[:, 0] > 0, 1:].astype(np.float64)
    roidb = recorded_roidb(cfg_from_list(AGNOSTIC))
    assert len(set(rows[:, 0])) > 3
    np.testing.assert_allclose(roidb.means, [0, 0, 0, 0, *targets.mean(axis=0)], atol=1e-7)
    np.testing.assert_allclose(roidb.stds, [0, 0, 0, 0, *targets.std(axis=0)], rtol=1e-6)
    for before, now in zip(plain, roidb, strict=True):
        some = before.bbox_targets[:, 0] > 0
        want = (before.bbox_targets[some, 1:] - roidb.means[4:]) / roidb.stds[4:]
        np.testing.assert_allclose(now.bbox_targets[some, 1:], want, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(now.bbox_targets[:, 0], before.bbox_targets[:, 0])
    fixed = recorded_roidb(cfg_from_list([*AGNOSTIC, "TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED", "True"]))
    assert fixed.stds.tolist() == [0.1, 0.1, 0.2, 0.2] * 2


def test_a_minibatch_has_the_box_of_every_class_in_the_last_four_columns():
    """The same RoIs, in the same order, as without AGNOSTIC; with a batch of -1 all of them."""
    roidb, by_class = (
        recorded_roidb(cfg_from_list([*ALL, "TRAIN.AGNOSTIC", flag])) for flag in ("True", "False")
    )
    for source in (roidb, by_class):  # their means differ, which is not the point here
        source.means, source.stds = np.zeros(84), np.ones(84)
    np.random.seed(5)
    got = minibatch([PHOTO], [roidb[2]], 21, roidb.cfg)
    np.random.seed(5)
    want = minibatch([PHOTO], [by_class[2]], 21, by_class.cfg)
    overlaps = roidb[2].max_overlaps
    assert len(got["labels"]) == np.count_nonzero(overlaps >= 0.5) + np.count_nonzero(overlaps < 0.5)
    assert np.count_nonzero(got["labels"]) > 0.25 * 128  # no share of the batch bounds them
    for name in ("rois", "labels", "data"):
        np.testing.assert_array_equal(got[name], want[name])
    for name in ("bbox_targets", "bbox_inside_weights", "bbox_outside_weights"):
        assert got[name].shape == (len(got["rois"]), 8) and not got[name][:, :4].any()
        of_all = want[name].reshape(len(got["rois"]), 21, 4).sum(axis=1)  # one class at most has one
        np.testing.assert_array_equal(got[name][:, 4:], of_all)
        assert of_all.any()


def test_the_data_layer_gives_eight_columns():
    text = """layer { name: "data" type: "Python" top: "data" top: "rois" top: "labels" top: "t" top: "i" top: "o"
      python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 21" } }"""
    cfg = cfg_from_list(ALL)
    net = net_of(text, layer_settings=cfg.layer_settings())
    assert [net.blobs[name].shape for name in "tio"] == [(1, 8)] * 3
    np.random.seed(5)
    blobs = minibatch([PHOTO], [recorded_roidb(cfg)[1]], 21, cfg)
    net.layers[0].set_blobs([blobs])
    net.forward()
    np.testing.assert_array_equal(net.blobs["t"].data, blobs["bbox_targets"])


def agnostic_net(text: str = TINY_TEST) -> tuple[caffe.Net, caffe.Net]:
    """A net with one box for all classes, and one whose classes each have that box."""
    wide = tiny_test_net(text=text)
    narrow = net_of(text.replace("num_output: 84", "num_output: 8"), caffe.TEST)
    for name, blobs in wide.params.items():
        for i, blob in enumerate(blobs):
            if name == "bbox_pred":
                blob.data[8:] = np.tile(blob.data[4:8], (19, *[1] * (blob.data.ndim - 1)))
            narrow.params[name][i].data[...] = blob.data[:8] if name == "bbox_pred" else blob.data
    return narrow, wide


@pytest.mark.parametrize("has_rpn, stages", [(False, 1), (False, 2), (True, 1)])
def test_detections_have_the_one_box(has_rpn, stages):
    narrow, wide = agnostic_net(TINY_RPN_TEST if has_rpn else TINY_TEST)
    pairs = "TEST.SCALES (90,) TEST.RPN_MIN_SIZE 5 TEST.RPN_POST_NMS_TOP_N 37 TEST.AGNOSTIC"
    cfg, by_class = (cfg_from_list([*pairs.split(), flag]) for flag in ("True", "False"))
    boxes = None if has_rpn else np.array([[3, 4, 30, 40], [10, 2, 55, 43], [0, 0, 60, 44.0]])
    image = picture(3, 45, 61)
    got = Detector(narrow, cfg, thresh=0.01, stages=stages)(image, boxes)
    want = Detector(wide, by_class, thresh=0.01, stages=stages)(image, boxes)
    assert len(set(want[:, 0])) > 5
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    # its columns tell, so that no configuration is needed
    np.testing.assert_array_equal(Detector(narrow, by_class, thresh=0.01, stages=stages)(image, boxes), got)
    assert im_detect(narrow, image, boxes, cfg)[1].shape[1] == 8


def test_a_photo_without_proposals():
    narrow = agnostic_net()[0]
    scores, boxes = im_detect(narrow, picture(3, 45, 61), np.zeros((0, 4)))
    assert (scores.shape, boxes.shape) == ((0, 21), (0, 8))
    assert Detector(narrow)(picture(3, 45, 61), np.zeros((0, 4))).shape == (0, 6)


def test_a_net_with_a_box_for_each_class_does_not_fit_the_configuration():
    with pytest.raises(DataError, match=r"TEST\.AGNOSTIC is true, and bbox_pred has 84 columns"):
        Detector(tiny_test_net(), cfg_from_list(["TEST.AGNOSTIC", "True"]))
    with pytest.raises(DataError, match="bbox_pred has 12 columns and cls_prob 21; expected four times"):
        Detector(net_of(TINY_TEST.replace("num_output: 84", "num_output: 12"), caffe.TEST))


# ---- snapshots --------------------------------------------------------------------------------------------------

HEADS = """
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 5 dim: 3 dim: 4 }
  data_filler { type: "gaussian" std: 1 } } }
layer { name: "rfcn_bbox" type: "Convolution" bottom: "x" top: "maps" convolution_param { num_output: 72 kernel_size: 1
  weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "gaussian" std: 0.1 } } }
layer { name: "rpn_bbox_pred" type: "Convolution" bottom: "x" top: "deltas" convolution_param { num_output: 12
  kernel_size: 1 weight_filler { type: "gaussian" std: 0.1 } bias_filler { type: "gaussian" std: 0.1 } } }
layer { name: "sum" type: "EuclideanLoss" bottom: "deltas" bottom: "deltas" top: "loss" }"""


def heads_solver(folder):
    (folder / "net.prototxt").write_text(HEADS)
    path = folder / "solver.prototxt"
    path.write_text(f'net: "net.prototxt" base_lr: 0 lr_policy: "fixed" snapshot_prefix: "{folder}/s"')
    return caffe.get_solver(path)


def test_a_snapshot_gives_deltas_as_they_are(tmp_path):
    """rfcn_bbox has 3 x 3 maps for each of 8 columns, rpn_bbox_pred four outputs for each of 3 anchors."""
    pairs = f"TRAIN.RPN_NORMALIZE_TARGETS True TRAIN.RPN_NORMALIZE_STDS {RPN_STDS}"
    roidb = recorded_roidb(
        cfg_from_list([*ALL, *pairs.split(), "TRAIN.RPN_NORMALIZE_MEANS", "(1.0,2.0,3.0,4.0)"])
    )
    roidb.means = roidb.means + np.arange(8)
    solver = heads_solver(tmp_path)
    store_unnormalized(solver, roidb)
    solver.net.forward()
    maps = solver.net.blobs["maps"].data.reshape(2, 8, 9, 3, 4)
    deltas = solver.net.blobs["deltas"].data.reshape(2, 3, 4, 3, 4)
    stored = net_of(HEADS)
    stored.copy_from(solver.snapshot().replace("solverstate", "caffemodel"))
    for name, top, want in (
        ("rfcn_bbox", "maps", maps * roidb.stds[:, None, None, None] + roidb.means[:, None, None, None]),
        (
            "rpn_bbox_pred",
            "deltas",
            deltas * np.reshape([0.5, 0.25, 2, 4], (4, 1, 1)) + np.reshape([1, 2, 3, 4], (4, 1, 1)),
        ),
    ):
        weights, bias = (blob.data for blob in stored.params[name])
        got = (
            np.einsum("oi,nihw->nohw", weights[:, :, 0, 0], solver.net.blobs["x"].data) + bias[:, None, None]
        )
        np.testing.assert_allclose(got, want.reshape(solver.net.blobs[top].shape), rtol=1e-4, atol=1e-5)
    normalize(stored, roidb.means, roidb.stds)
    before, after = (net.params["rfcn_bbox"][0].data for net in (solver.net, stored))
    np.testing.assert_allclose(after[36:], before[36:], rtol=1e-5, atol=1e-6)  # the background's are lost


def test_other_outputs_than_the_data_has_are_refused_before_training(tmp_path):
    by_class = recorded_roidb(cfg_from_list([*ALL, "TRAIN.AGNOSTIC", "False"]))
    with pytest.raises(DataError, match=r"rfcn_bbox has params .*; expected .* 84 outputs for each bin"):
        store_unnormalized(heads_solver(tmp_path), by_class)
    with pytest.raises(DataError, match="bbox_pred has params"):  # bins are R-FCN's only
        unnormalized([np.zeros((72, 5)), np.zeros(72)], np.zeros(8), np.ones(8))


# ---- a net by itself ----------------------------------------------------------------------------------------------

ONE_BOX = """
layer { name: "data" type: "Python" top: "data" top: "rois" top: "labels" top: "t" top: "i" top: "o"
  python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 21" } }
layer { name: "pool" type: "ROIPooling" bottom: "data" bottom: "rois" top: "pool"
  roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 } }
layer { name: "bbox_pred" type: "InnerProduct" bottom: "pool" top: "pred" inner_product_param { num_output: 8 } }
layer { name: "box" type: "SmoothL1Loss" bottom: "pred" bottom: "t" bottom: "i" bottom: "o" top: "box" }"""


def test_a_net_takes_its_configuration(tmp_path):
    (tmp_path / "net.prototxt").write_text(ONE_BOX)
    (tmp_path / "rfcn.yml").write_text("TRAIN: {AGNOSTIC: True}")
    make_shapes(tmp_path / "kit", images=5)
    for data in ((), ("--devkit", "kit"), ("--photo", "kit/VOC2007/JPEGImages/000001.jpg")):
        done = run_prototxt("net.prototxt", "--cfg", "rfcn.yml", *data, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        loss = json.loads(done.stdout)["losses"][0]["box"]
        assert (loss > 0) == (not data or data[0] == "--devkit")  # a photo has no objects
    done = run_prototxt("net.prototxt", "--quiet", cwd=tmp_path)
    assert done.returncode and "takes TRAIN.AGNOSTIC: give its --cfg" in done.stderr
