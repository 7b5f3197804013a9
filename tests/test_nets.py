"""The nets of nets.json: blobs, params, layers with splits and what needs backward, as Caffe's log had them."""

import json

import pytest
from recordings import GOLDEN
from reference import reference

import caffe_compat as caffe
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.prototxt import zoo

NETS = json.loads((GOLDEN / "nets.json").read_text())
SHIPPED = {
    "TEST:caffe/examples/mnist/lenet.prototxt": "lenet",
    "TEST:caffe/models/bvlc_alexnet/deploy.prototxt": "alexnet_deploy",
    "TEST:ohem/models/pascal_voc/VGG_CNN_M_1024/fast_rcnn/test.prototxt": "vgg_cnn_m_1024_fast_rcnn_test",
    "TRAIN:ohem/models/pascal_voc/VGG_CNN_M_1024/fast_rcnn/train.prototxt": "vgg_cnn_m_1024_fast_rcnn_train",
    "TRAIN:ohem/models/pascal_voc/VGG_CNN_M_1024/fast_rcnn_ohem/train.prototxt": (
        "vgg_cnn_m_1024_fast_rcnn_ohem_train"
    ),
}


@pytest.mark.parametrize("meaning", ["replaces", "restricts"])
@pytest.mark.parametrize("key", sorted(SHIPPED), ids=lambda key: SHIPPED[key])
def test_shipped_net(key, meaning, monkeypatch):
    check(zoo.path(SHIPPED[key]), key, meaning, monkeypatch)


@pytest.mark.parametrize("key", sorted(NETS))
def test_reference_net(key, monkeypatch):
    if "ohem/" not in key:
        pytest.skip("not among the reference files; the zoo has our own writing of it")
    check(reference(key.split(":")[1]), key, "restricts", monkeypatch)


def check(path, key, meaning, monkeypatch):
    want = NETS[key]
    monkeypatch.setattr(RoIDataLayer, "ims_per_batch", 1)  # recorded with the OHEM configuration
    phase = caffe.TRAIN if key.startswith("TRAIN") else caffe.TEST
    net = caffe.Net(path, phase, propagate_down=meaning)
    layers = [[node.param.name, node.param.type] for node in net.graph.nodes]
    if not any(
        kind == "Input" for _, kind in want["layers"]
    ):  # the recording fork has net inputs without a layer
        layers = [layer for layer in layers if layer[1] != "Input"]
    assert layers == want["layers"]
    assert {name: list(blob.shape) for name, blob in net.blobs.items()} == want["blobs"]
    assert {name: [list(b.shape) for b in blobs] for name, blobs in net.params.items()} == want["params"]
    needs = {
        node.param.name: plan.need_backward for node, plan in zip(net.graph.nodes, net.plan, strict=True)
    }
    assert {name: needs[name] for name in want["needs_backward"]} == want["needs_backward"]
    assert sorted(net.inputs) == sorted(want["inputs"])
    assert net.outputs == want["outputs"]
    shared = [
        [param.name, net.layers[param.uses[0][0]].name, str(param.uses[0][1])]
        for param in net.learnable
        for _ in param.uses[1:]
    ]
    assert sorted(shared) == sorted(want["shared"])
    assert all(bool(plan.reason) != plan.need_backward for plan in net.plan)
