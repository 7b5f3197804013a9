"""Every recorded layer: data, gradients and param gradients agree with the original Caffe."""

import numpy as np
import pytest
from recordings import GOLDEN, assert_close, load, net_of, replay

import caffe_compat as caffe
from caffe_compat.prototxt.reader import parse_net

LAYERS = [
    (path, "restricts") for path in sorted((GOLDEN / "layers").glob("*.npz"))
]  # the fork that OHEM pins
LAYERS += [
    (path, "replaces")
    for folder in ("layers_bvlc", "ssd")  # BVLC master, SSD's fork
    for path in sorted((GOLDEN / folder).glob("*.npz"))
]


def text_of(record):
    """The record's prototxt; skips the test where it has a layer type that is not done yet."""
    text = str(record["prototxt"])
    missing = {layer.type for layer in parse_net(text)[0].layer} - set(caffe.layer_type_list())
    if missing:
        pytest.skip(f"layer types not done yet: {', '.join(sorted(missing))}")
    return text


@pytest.mark.parametrize("path, meaning", LAYERS, ids=lambda value: getattr(value, "stem", value))
def test_layer(path, meaning):
    record = load(path)
    replay(net_of(text_of(record), propagate_down=meaning), record)


@pytest.mark.parametrize("path", sorted((GOLDEN / "fillers").glob("*.npz")), ids=lambda path: path.stem)
def test_filler(path):
    record = load(path)
    text = text_of(record)
    caffe.set_random_seed(int(record["seed"]))
    net = net_of(text)
    params = {key: value for key, value in record.items() if key.startswith("param:")}
    for key, value in params.items():
        _, layer, index = key.split(":")
        np.testing.assert_allclose(net.params[layer][int(index)].data, value, rtol=0, atol=1e-6, err_msg=key)
    assert params


def test_dropout_masks():
    record = load(GOLDEN / "dropout.npz")
    net = net_of(str(record["prototxt"]))
    net.blobs[net.inputs[0]].data[...] = 1
    caffe.set_random_seed(int(record["seed"]))
    for i in range(sum(key.startswith("a@") for key in record)):
        net.forward()
        np.testing.assert_array_equal(net.blobs["a"].data, record[f"a@{i}"])
        np.testing.assert_array_equal(net.blobs["b"].data, record[f"b@{i}"])


def test_v1_weights():
    record = {
        key.removeprefix("v1:"): value
        for key, value in load(GOLDEN / "legacy" / "legacy_weights.npz").items()
    }
    net = caffe.Net(GOLDEN / "legacy" / "v1_small.prototxt", caffe.TEST)
    report = net.copy_from(GOLDEN / "legacy" / "legacy_v1.caffemodel")
    assert report.loaded == ["c1", "ip"] and not report.zero
    for key, value in record.items():
        kind, *name = key.split(":")
        if kind == "param":
            assert_close(net.params[name[0]][int(name[1])].data, value, key, tolerance=0)
    net.blobs["data"].data[...] = record["data"]
    net.forward()
    for name in ("c1", "n1", "p1", "ip", "s"):
        assert_close(net.blobs[name].data, record[f"blob:{name}"], name)
