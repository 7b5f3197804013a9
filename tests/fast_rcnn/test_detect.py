"""Detection against the recordings of the reference, and on a tiny net with random weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recordings import net_of
from reference import reference

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import bbox_overlaps, bbox_transform_inv, clip_boxes
from caffe_compat.fast_rcnn.config import Config, TestConfig, cfg_from_list
from caffe_compat.fast_rcnn.detect import Detector, candidates, im_detect, limit, unique_rois
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.nms import by_class_and_score, suppress
from caffe_compat.fast_rcnn.pyramid import Pyramid
from fast_rcnn.drawn import picture
from fast_rcnn.golden import recorded
from fast_rcnn.nets import TINY_RPN_TEST, TINY_TEST, tiny_test_net

GIVEN = """
input: "data" input_shape { dim: 1 dim: 3 dim: 5 dim: 7 }
input: "rois" input_shape { dim: 1 dim: 5 }
layer { type: "Silence" name: "silence" bottom: "data" bottom: "rois" }
layer { type: "Parameter" name: "scores" top: "cls_prob" parameter_param { shape { dim: 354 dim: 21 } } }
layer { type: "Parameter" name: "deltas" top: "bbox_pred" parameter_param { shape { dim: 354 dim: 84 } } }
"""  # a net whose answers are given
SCALES = {"pyramid1": ((600,), 1000), "pyramid3": ((300, 480, 700), 900)}


def post(scores, boxes, most=100):
    dets = suppress(by_class_and_score(candidates(scores, boxes, 0.05)), 0.3)
    return limit(dets, most)


def assert_detections(got, want):
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[:, [0, 5]], want[:, [0, 5]])
    np.testing.assert_allclose(got[:, 1:5], want[:, 1:5], atol=1e-4)


@pytest.mark.parametrize("case", SCALES)
def test_rois_in_the_pyramid_are_the_recorded_ones(case):
    detect = recorded("detect")
    scales, max_size = SCALES[case]
    test = TestConfig(SCALES=scales, MAX_SIZE=max_size)
    pyramid = Pyramid(np.zeros(detect["photo_bgr_shape"], np.uint8), Config(TEST=test))
    assert pyramid.blob.shape == tuple(detect[f"{case}/data_shape"])
    np.testing.assert_array_equal(pyramid.scales, detect[f"{case}/im_scales"])
    rois = pyramid.rois(detect[f"{case}/boxes"])
    np.testing.assert_array_equal(rois, detect[f"{case}/rois"])
    index, inverse = unique_rois(rois, 1 / 16)
    np.testing.assert_array_equal(index, detect[f"{case}/dedup_index"])
    np.testing.assert_array_equal(inverse, detect[f"{case}/dedup_inverse"])


@pytest.mark.parametrize(("case", "tolerance"), [("pyramid1", 1e-3), ("pyramid3", 5e-3)])
def test_the_pyramid_of_a_photo_is_the_recorded_one(case, tolerance):
    detect = recorded("detect")
    image = read_photo(reference(f"VOCdevkit2007/VOC2007/JPEGImages/{detect['photo'][0]}"))
    assert image.sum() == detect["photo_bgr_sum"]
    scales, max_size = SCALES[case]
    blob = Pyramid(image, Config(TEST=TestConfig(SCALES=scales, MAX_SIZE=max_size))).blob
    np.testing.assert_allclose(blob[:, :, ::37, ::41], detect[f"{case}/data_sample"], atol=tolerance)
    np.testing.assert_allclose(
        np.abs(blob, dtype=np.float64).sum(), detect[f"{case}/data_abs_sum"], rtol=1e-5
    )


@pytest.mark.parametrize("case", ["post0", "post1", "post2"])
def test_post_processing_is_the_recorded_one(case):
    detect = {key.split("/")[1]: value for key, value in recorded("detect").items() if key.startswith(case)}
    boxes = bbox_transform_inv(detect["boxes"], detect["deltas"])
    if "pred_boxes" in detect:
        np.testing.assert_allclose(boxes, detect["pred_boxes"], atol=1e-4)
    boxes = clip_boxes(boxes, *detect["im_shape"][:2])
    np.testing.assert_allclose(boxes, detect["pred_boxes_clipped"], atol=1e-4)
    assert_detections(post(detect["scores"], boxes, most=0), detect["dets_all"])
    assert_detections(post(detect["scores"], boxes), detect["dets"])


def test_the_whole_way_is_the_recorded_one():
    detect = recorded("detect")
    net = net_of(GIVEN, caffe.TEST)
    net.params["scores"][0].data[...] = detect["full/net_scores"]
    net.params["deltas"][0].data[...] = detect["full/net_deltas"]
    image = np.zeros(detect["photo_bgr_shape"], np.uint8)
    scores, boxes = im_detect(net, image, detect["full/boxes"])
    np.testing.assert_array_equal(net.blobs["rois"].data, detect["full/net_rois"])
    np.testing.assert_array_equal(scores, detect["full/scores"])
    np.testing.assert_allclose(boxes, detect["full/pred_boxes"], atol=1e-4)
    detector = Detector(net)
    assert_detections(detector(image, detect["full/boxes"]), detect["full/dets"])
    assert set(detector.seconds) == {"pyramid", "net", "boxes", "nms"}
    assert min(detector.seconds.values()) > 0
    assert_detections(Detector(net, max_per_image=0)(image, detect["full/boxes"]), detect["full/dets_all"])


def random_boxes(count: int, height: int, width: int) -> np.ndarray:
    rng = np.random.RandomState(6)
    corners = np.sort(rng.randint(0, [width, height], (count, 2, 2)), axis=1)
    return corners.reshape(count, 4).astype(np.float32)


def test_equal_rois_go_through_the_net_once_and_change_nothing():
    image, boxes = picture(3, 90, 120), random_boxes(150, 90, 120)
    boxes = np.concatenate((boxes, boxes[::-1]))
    net = tiny_test_net()
    cfg = cfg_from_list(["TEST.SCALES", "(64, 360)", "DEDUP_BOXES", "1.0"])
    scores, regressed = im_detect(net, image, boxes, cfg)
    assert net.blobs["rois"].shape[0] <= 150
    assert set(net.blobs["rois"].data[:, 0]) == {0, 1}
    one_by_one, alone = im_detect(net, image, boxes, replace(cfg, DEDUP_BOXES=0.0))
    assert net.blobs["rois"].shape[0] == 300
    np.testing.assert_allclose(scores[:150], scores[:149:-1])
    # RoIs that were equal after rounding may differ by less than a pixel
    assert np.median(np.abs(scores - one_by_one)) < 1e-6
    assert np.median(np.abs(regressed - alone)) < 1e-3


def test_no_boxes_give_no_detections():
    image = picture(3, 90, 120)
    scores, boxes = im_detect(tiny_test_net(), image, np.zeros((0, 4), np.float32))
    assert scores.shape == (0, 21) and boxes.shape == (0, 84)
    assert Detector(tiny_test_net(), stages=2)(image, np.zeros((0, 4))).shape == (0, 6)


def test_without_regression_the_boxes_are_the_proposals_and_svms_give_their_own_scores():
    image, boxes = picture(3, 90, 120), random_boxes(9, 90, 120)
    cfg = cfg_from_list(["TEST.BBOX_REG", "False", "TEST.SVM", "True", "TEST.SCALES", "(90,)"])
    net = tiny_test_net()
    scores, same = im_detect(net, image, boxes, cfg)
    np.testing.assert_array_equal(same.reshape(9, 21, 4), np.repeat(boxes[:, None], 21, axis=1))
    assert scores.min() < 0  # no probabilities
    np.testing.assert_array_equal(np.unique(scores), np.unique(net.blobs["cls_score"].data))


def test_two_stages_score_the_moved_boxes_and_let_all_vote():
    image, boxes = picture(3, 90, 120), random_boxes(60, 90, 120)
    net = tiny_test_net()
    cfg = cfg_from_list(["TEST.SCALES", "(90,)", "DEDUP_BOXES", "0.0"])
    first = candidates(*im_detect(net, image, boxes, cfg), thresh=0.06)
    scores, moved = im_detect(net, image, first[:, 1:5], cfg)
    second = []
    for i, label in enumerate(first[:, 0].astype(int)):
        if scores[i, label] > np.float32(0.06):
            second.append([label, *moved[i, 4 * label : 4 * label + 4], scores[i, label]])
    assert len(first) > 20 and len(second) > 20
    found = by_class_and_score(np.concatenate((first, np.array(second, np.float32))))
    kept = suppress(found, 0.3)
    got = Detector(net, cfg, thresh=0.06, max_per_image=0, stages=2)(image, boxes)
    np.testing.assert_allclose(got[:, [0, 5]], kept[:, [0, 5]], rtol=1e-5)
    voters = found[found[:, 0] == got[0, 0]]
    voters = voters[bbox_overlaps(kept[:1, 1:5], voters[:, 1:5])[0] >= 0.5]
    want = np.average(voters[:, 1:5], axis=0, weights=voters[:, 5])
    np.testing.assert_allclose(got[0, 1:5], want, atol=1e-2)


def test_the_configuration_says_which_rule_of_nms_where_nobody_else_does():
    cpu, net = cfg_from_list(["USE_GPU_NMS", "False"]), tiny_test_net()
    rules = [Detector(net).nms_rule, Detector(net, cpu).nms_rule, Detector(net, cpu, nms_rule="gpu").nms_rule]
    assert rules == ["gpu", "cpu", "gpu"]


def test_a_net_of_another_kind_is_refused():
    with pytest.raises(
        DataError, match=r"inputs data and rois.* bbox_pred, cls_prob, rois; this one's inputs are x"
    ):
        Detector(net_of('input: "x" input_dim: 2 input_dim: 3 input_dim: 5 input_dim: 7', caffe.TEST))
    with pytest.raises(DataError, match="HAS_RPN is true, and this net takes rois"):
        Detector(net_of(TINY_TEST, caffe.TEST), cfg_from_list(["TEST.HAS_RPN", "True"]))


def test_answers_that_are_not_finite_are_an_error():
    net = tiny_test_net()
    net.params["cls_score"][1].data[3] = np.nan
    with pytest.raises(DataError, match="not finite; are these the right weights"):
        Detector(net)(picture(3, 90, 120), random_boxes(5, 90, 120))


@pytest.fixture
def rpn_cfg():
    """At twice the size, which no rounding touches."""
    pairs = "TEST.HAS_RPN True TEST.SCALES (90,) TEST.RPN_MIN_SIZE 5 TEST.RPN_POST_NMS_TOP_N 37 DEDUP_BOXES 0"
    return cfg_from_list(pairs.split())


def test_a_net_that_proposes_finds_what_one_finds_that_is_given_the_same_boxes(rpn_cfg):
    image = picture(3, 45, 61)
    net = tiny_test_net(text=TINY_RPN_TEST)
    detector = Detector(net, rpn_cfg)
    found = detector(image)
    scores, boxes = detector.regress(Pyramid(image, rpn_cfg))
    assert net.blobs["im_info"].data.tolist() == [[90, 122, 2]]
    rois = net.blobs["rois"].data
    assert len(scores) == len(rois) == detector.proposals == 37 and (rois[:, 3] > 62).any()

    given = tiny_test_net()
    for name, blobs in given.params.items():
        for mine, theirs in zip(blobs, net.params[name], strict=True):
            mine.data[...] = theirs.data
    plain = cfg_from_list(["TEST.HAS_RPN", "False"], rpn_cfg)
    want_scores, want_boxes = im_detect(given, image, rois[:, 1:] / 2, plain)
    np.testing.assert_array_equal(scores, want_scores)
    np.testing.assert_array_equal(boxes, want_boxes)
    want = Detector(given, plain)(image, rois[:, 1:] / 2)
    np.testing.assert_array_equal(found, want)
    assert len(want) > 5
    np.testing.assert_array_equal(im_detect(net, image, cfg=rpn_cfg)[0], scores)
    unmoved = Detector(net, cfg_from_list(["TEST.BBOX_REG", "False"], rpn_cfg))
    np.testing.assert_array_equal(unmoved.regress(Pyramid(image, rpn_cfg))[1][:, 80:], rois[:, 1:] / 2)


def test_whether_a_net_proposes_is_plain_from_its_inputs(rpn_cfg):
    net, image = tiny_test_net(text=TINY_RPN_TEST), picture(3, 45, 61)
    silent = cfg_from_list(["TEST.HAS_RPN", "False"], rpn_cfg)
    np.testing.assert_array_equal(Detector(net, silent)(image), Detector(net, rpn_cfg)(image))


@pytest.mark.parametrize("engine", ["strict", "fast"])
def test_a_net_that_proposes_nothing_finds_nothing(engine, rpn_cfg, monkeypatch):
    monkeypatch.setattr("caffe_compat.engine._default", EngineChoice(engine))
    cfg = cfg_from_list(["TEST.RPN_MIN_SIZE", "400"], rpn_cfg)
    detector = Detector(tiny_test_net(text=TINY_RPN_TEST), cfg)
    assert detector(picture(3, 45, 61)).shape == (0, 6) and detector.proposals == 0


def test_each_detector_of_a_net_goes_by_its_own_configuration(rpn_cfg):
    net, image = tiny_test_net(text=TINY_RPN_TEST), picture(3, 45, 61)
    detectors = {
        most: Detector(net, cfg_from_list(["TEST.RPN_POST_NMS_TOP_N", str(most)], rpn_cfg)) for most in (9, 4)
    }
    for most in (9, 4, 9):
        detectors[most](image)
        assert detectors[most].proposals == most


def test_what_a_net_that_proposes_does_not_take_is_refused(rpn_cfg):
    net = net_of(TINY_RPN_TEST, caffe.TEST)
    with pytest.raises(DataError, match="takes one scale"):
        Detector(net, cfg_from_list(["TEST.SCALES", "(60,90)"], rpn_cfg))
    with pytest.raises(DataError, match="one stage only"):
        Detector(net, rpn_cfg, stages=2)
    with pytest.raises(DataError, match="give it boxes"):
        Detector(tiny_test_net())(picture(3, 45, 61))
