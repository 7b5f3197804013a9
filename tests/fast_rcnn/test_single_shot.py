"""SSD's and YOLO's detection on nets that find coloured cells."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.single_shot import (
    DARKNET,
    MOBILENET,
    SSD,
    Preprocessing,
    SingleShotDetector,
    usual_preprocessing,
)
from fast_rcnn.cell_nets import CELL_NETS, cell_net
from fast_rcnn.drawn import picture

RED, BLUE = (0, 0, 255), (255, 0, 0)
PLAIN = Preprocessing(np.zeros(1, np.float32))


def photo():
    """96 x 128 pixels, so that a cell of SSD's 32 x 64 is 24 x 16: two red cells, and a blue one in the corner."""
    image = np.full((96, 128, 3), 90, np.uint8)
    image[24:48, 32:48] = RED
    image[48:72, 96:112] = RED
    image[72:96, 112:128] = BLUE
    return image


@pytest.mark.parametrize("kind", ["ssd", "yolo v3"])
def test_boxes_are_those_of_the_photo(kind):
    net = cell_net(kind)
    net.blobs["data"].data[...] = np.nan
    detector = SingleShotDetector(net, PLAIN, thresh=0.5)
    assert detector.num_classes == 3 and not detector.takes_proposals and detector.proposals is None
    found = detector(photo())
    assert found.dtype == np.float32 and set(detector.seconds) == {"resize", "net"}
    np.testing.assert_array_equal(found[:, 0], [1, 1, 2])
    boxes = [[32, 24, 47, 47], [96, 48, 111, 71], [112, 72, 127, 95]]
    np.testing.assert_allclose(sorted(found[:2, 1:5].tolist()) + found[2:, 1:5].tolist(), boxes, atol=1e-4)
    assert (found[:, 5] > 0.9).all()


def test_states_do_not_count_as_boxes(monkeypatch):
    want = SingleShotDetector(cell_net("ssd"), PLAIN, thresh=0.5)(photo())
    text = CELL_NETS["ssd"].replace('bottom: "prior" top', 'bottom: "prior" bottom: "prob_flat" top')
    text = text.replace("num_classes: 3", "num_classes: 3 do_state_prediction: true num_states: 3")
    monkeypatch.setitem(CELL_NETS, "ssd", text)
    net = cell_net("ssd")
    np.testing.assert_array_equal(SingleShotDetector(net, PLAIN, thresh=0.5)(photo()), want)
    assert net.blobs["found"].shape[3] == 10


def test_yolo_v2_has_a_square_input():
    found = SingleShotDetector(cell_net("yolo v2"), PLAIN, thresh=0.5)(photo())
    np.testing.assert_allclose(found[found[:, 0] == 2, 1:5], [[96, 72, 127, 95]], atol=1e-4)
    best = found[0]  # a cell is 32 wide; half of it is red
    np.testing.assert_allclose(best[:5], [1, 32, 24, 63, 47], atol=1e-4)


def test_the_input_is_the_photo_resized_less_the_mean_times_scale():
    """As ssd_detect.cpp does it: OpenCV resizes the bytes, then come mean and scale, blue first."""
    image = picture(3, 47, 90)
    net = cell_net("ssd")
    mean = np.array([104, 117, 123], np.float32)
    resized = cv2.resize(image, (64, 32)).astype(np.float32).transpose(2, 0, 1)
    got = SingleShotDetector(net, Preprocessing(mean, 0.25)).input(image)
    np.testing.assert_allclose(got, (resized - mean[:, None, None])[None] * 0.25, rtol=1e-6)
    whole = np.random.RandomState(2).uniform(0, 255, (3, 32, 64)).astype(np.float32)
    got = SingleShotDetector(net, Preprocessing(whole, swap=(0, 1, 2))).input(image)
    np.testing.assert_allclose(got, (resized[::-1] - whole)[None], rtol=1e-6)
    with pytest.raises(DataError, match=r"shape \(3, 9, 9\); expected one number, 3, or .* 3 x 32 x 64"):
        SingleShotDetector(net, Preprocessing(whole[:, :9, :9]))


def test_a_letterboxed_photo_keeps_its_aspect():
    """160 x 40 pixels become 64 x 16 between 8 rows of grey; a cell is 20 x 20 of the photo's."""
    image = np.full((40, 160, 3), 90, np.uint8)
    image[20:40, 60:80] = BLUE
    detector = SingleShotDetector(cell_net("ssd"), Preprocessing(np.zeros(1), letterbox=True), thresh=0.5)
    assert (detector.input(image)[0, :, :8] == 127).all()
    np.testing.assert_allclose(detector(image)[:, :5], [[2, 60, 20, 79, 39]], atol=1e-3)


def test_another_background_than_the_first_label():
    text = CELL_NETS["ssd"].replace("num_classes: 3", "num_classes: 3 background_label_id: 2")
    net = net_of(text, caffe.TEST)
    for weights, bias in net.params.values():
        weights.data[...] = bias.data[...] = 0
    net.params["seen"][1].data[...] = [5, 0, 9]  # of a net whose third label is the background
    detector = SingleShotDetector(net, PLAIN)
    assert detector.num_classes == 3
    found = detector(photo())
    assert set(found[:, 0]) == {1}  # the first label; the second one's scores are below the layer's threshold
    assert len(found) == 32


def test_grey_nets():
    net = net_of(CELL_NETS["ssd"].replace("dim: 2 dim: 3 dim: 32", "dim: 1 dim: 1 dim: 32"), caffe.TEST)
    image = picture(5, 32, 64)
    got = SingleShotDetector(net, PLAIN).input(image)
    np.testing.assert_array_equal(got[0, 0], cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))


def test_the_usual_preprocessing_goes_by_the_net():
    assert usual_preprocessing(cell_net("ssd")) == (SSD, "SSD's")
    assert usual_preprocessing(cell_net("yolo v3")) == (DARKNET, "darknet's")
    depthwise = CELL_NETS["yolo v2"].replace(
        'layer { name: "seen"',
        """layer { name: "deep" type: "Convolution" bottom: "cells" top: "deep"
        convolution_param { num_output: 3 group: 3 kernel_size: 3 } }
layer { name: "seen\"""",
        1,
    )
    assert usual_preprocessing(net_of(depthwise, caffe.TEST)) == (MOBILENET, "MobileNet-SSD's")
    assert (MOBILENET.mean, MOBILENET.scale) == (127.5, 0.007843)


def test_other_nets_are_refused():
    plain = net_of('input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }', caffe.TEST)
    with pytest.raises(DataError, match="has no DetectionOutput"):
        SingleShotDetector(plain)
    two = net_of('input: "more" input_shape { dim: 4 }' + CELL_NETS["yolo v2"], caffe.TEST)
    with pytest.raises(DataError, match="inputs are more 4, data 2x3x32x32; expected one, N x 3 x H x W"):
        SingleShotDetector(two)
    net = cell_net("yolo v3")
    net.params["seen"][1].data[2] = 1e4  # exp of it is inf
    with pytest.raises(DataError, match="are these the right weights"):
        SingleShotDetector(net, PLAIN)(photo())
