"""Faster R-CNN's end-to-end nets, train and test, against recordings of the original Caffe (tests/golden/rpn)."""

import numpy as np
import pytest
from ohem_net import drawn
from recordings import GOLDEN, assert_close, load

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from caffe_compat.fast_rcnn.config import FASTER_RCNN
from caffe_compat.prototxt import zoo

STD = {
    "conv1": 0.02, "conv2": 0.02, "conv3": 0.03, "conv4": 0.02, "conv5": 0.02,
    "rpn_conv/3x3": 0.02, "rpn_cls_score": 0.01, "rpn_bbox_pred": 0.001,
    "fc6": 0.008, "fc7": 0.02, "cls_score": 0.004, "bbox_pred": 0.002,
}  # fmt: skip


def net_of(part: str, phase: int) -> caffe.Net:
    return caffe.Net(
        zoo.path(f"vgg_cnn_m_1024_faster_rcnn_{part}"),
        phase,
        propagate_down="restricts",
        layer_settings=FASTER_RCNN.layer_settings(),
    )


@pytest.fixture(scope="module")
def train_net() -> caffe.Net:
    """The training net with the weights of the recordings."""
    net = net_of("train", caffe.TRAIN)
    for i, (name, std) in enumerate(STD.items()):
        weight, bias = net.params[name]
        weight.data[...] = drawn(1000 + i, weight.shape, std)
        bias.data[...] = drawn(2000 + i, bias.shape, 0.01)
    return net


def image(record) -> np.ndarray:
    height, width = record["in:im_info"][0, :2].astype(int)
    rng = np.random.RandomState(record["data_seed"])
    data = (rng.standard_normal((1, 3, height, width)) * 60).astype(np.float32)
    assert_close(data.sum(dtype=np.float64), record["sum:in:data"], "sum:in:data")
    np.testing.assert_array_equal(data.reshape(-1)[:100], record["head:in:data"])
    return data


def seed_both(record) -> None:
    np.random.seed(record["seed"])
    caffe.set_random_seed(int(record["seed"]))


def assert_recorded(net, record, key, value) -> None:
    kind, _, name = key.partition(":")
    what, _, rest = name.partition(":")
    if kind == "loss":
        assert_close(net.blobs[name].data, value, key)
    elif kind in ("data", "diff"):
        assert_close(getattr(net.blobs[name], kind), value, key)
    elif what == "pdiff":
        layer, _, index = rest.rpartition(":")
        diff = net.params[layer][int(index)].diff
        if kind == "asum":
            assert_close(np.abs(diff).sum(dtype=np.float64), value, key)
        else:
            assert_close(diff.reshape(-1)[: value.size], value, key, tolerance=1e-3)
    else:
        assert_close(np.abs(getattr(net.blobs[rest], what)).sum(dtype=np.float64), value, key)


def check(net, record, count: int) -> None:
    np.testing.assert_array_equal(np.random.uniform(size=2), record["next"])
    inputs = {key for key in record if "in:" in key or key in ("seed", "next", "data_seed")}
    assert len(record) - len(inputs) == count
    for key in record.keys() - inputs:
        assert_recorded(net, record, key, record[key])


def test_training_net(train_net):
    record, net = load(GOLDEN / "rpn" / "end2end_train.npz"), train_net
    blobs = {"data": image(record), "im_info": record["in:im_info"], "gt_boxes": record["in:gt_boxes"]}
    net.layers[0].set_blobs([blobs])
    net.clear_param_diffs()
    seed_both(record)
    net.forward()
    net.backward()
    check(net, record, 191)
    recorded = {key.removeprefix("asum:data:") for key in record if key.startswith("asum:data:")}
    assert recorded == set(net.blobs)


def test_test_net(train_net):
    record = load(GOLDEN / "rpn" / "end2end_test.npz")
    net = net_of("test", caffe.TEST)
    net.share_with(train_net)
    data = image(record)
    net.blobs["data"].reshape(*data.shape)
    seed_both(record)
    net.forward(data=data, im_info=record["in:im_info"])
    check(net, record, 40)


TRUNK = {"input-data", "conv1", "relu1", "norm1", "pool1"}  # nothing learns there


@pytest.mark.parametrize("meaning", ["replaces", "restricts"])
def test_backward_is_planned_as_in_caffe(meaning):
    """Caffe's Python layers are asked for a gradient, and those of the RPN give none: the recorded diffs are 0."""
    net = caffe.Net(zoo.path("vgg_cnn_m_1024_faster_rcnn_train"), caffe.TRAIN, propagate_down=meaning)
    names = [node.param.name for node in net.graph.nodes]
    idle = {name for name, plan in zip(names, net.plan, strict=True) if not plan.need_backward}
    assert idle == TRUNK | {name for name in names if "input-data" in name}
    plans = dict(zip(names, net.plan, strict=True))
    asked = {  # by Caffe; of these bottoms some can take no gradient here
        "proposal": [True, True, False],
        "rpn-data": [True, False, False, False],
        "roi-data": [True, False],
        "roi_pool5": [True, True],
        "loss_bbox": [True, True, True, True],
        "rpn_loss_cls": [True, False],
    }
    for name, flags in asked.items():
        takes = [j not in net.layer_dict[name].no_gradient for j in range(len(flags))]
        assert plans[name].propagate_down == [a and b for a, b in zip(flags, takes, strict=True)], name
    assert plans["roi_pool5"].propagate_down == [True, False]
    assert plans["rpn_loss_cls"].propagate_down == [True, False]


def test_labels_need_their_propagate_down_as_in_caffe(tmp_path):
    """The labels come from a layer that needs backward, so without the flag the loss is asked for a gradient there."""
    text = zoo.path("vgg_cnn_m_1024_faster_rcnn_train").read_text()
    text = text.replace("num_output: 4096", "num_output: 8")
    (tmp_path / "train.prototxt").write_text(text.replace("propagate_down: true  propagate_down: false", ""))
    record = load(GOLDEN / "rpn" / "end2end_train.npz")
    net = caffe.Net(tmp_path / "train.prototxt", caffe.TRAIN)
    blobs = {"data": image(record), "im_info": record["in:im_info"], "gt_boxes": record["in:gt_boxes"]}
    net.layers[0].set_blobs([blobs])
    net.forward()
    with pytest.raises(LayerError, match=r"gradient is asked for at bottom 1 .'labels'"):
        net.backward()
