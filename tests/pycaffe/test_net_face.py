"""Net, Blob and BlobVec as scripts written for pycaffe use them."""

from __future__ import annotations

import gc
import inspect
from collections import OrderedDict

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.blob import Blob
from caffe_compat.containers import BlobVec

FC = """
name: "fc"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 2 dim: 6 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 8 weight_filler { type: "xavier" } bias_filler { type: "uniform" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
FULL = FC.replace("dim: 6 dim: 7", "dim: 9 dim: 11").replace(
    FC[FC.index('layer { name: "fc"') : FC.index('layer { name: "prob"')],
    'layer { name: "fc-conv" type: "Convolution" bottom: "conv" top: "fc" '
    "convolution_param { num_output: 8 kernel_h: 4 kernel_w: 5 } }\n",
)
STATES = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "train" type: "Power" bottom: "x" top: "train" include { phase: TRAIN } }
layer { name: "level1" type: "Power" bottom: "x" top: "level1" include { min_level: 1 } }
layer { name: "deploy" type: "Power" bottom: "x" top: "deploy" include { stage: "deploy" stage: "b" } }
"""


@pytest.fixture
def fc(tmp_path):
    path = tmp_path / "fc.prototxt"
    path.write_text(FC)
    return str(path)


def outputs(path, *args, **kwargs):
    return sorted(caffe.Net(path, *args, **kwargs).outputs)


def test_all_forms_of_the_constructor(tmp_path):
    path, weights = str(tmp_path / "states.prototxt"), str(tmp_path / "w.caffemodel")
    (tmp_path / "states.prototxt").write_text(STATES)
    caffe.Net(path, caffe.TRAIN).save(weights)
    assert outputs(path, caffe.TRAIN) == ["train"]
    assert caffe.Net(network_file=path, phase=caffe.TRAIN).outputs == ["train"]
    assert outputs(path, caffe.TEST, 1) == outputs(path, caffe.TEST, level=1) == ["level1"]
    assert outputs(path, caffe.TEST, 1, ["b", "deploy"]) == ["deploy", "level1"]
    assert outputs(path, caffe.TEST, stages=["deploy", "b"], weights=weights) == ["deploy"]
    assert outputs(path, caffe.TEST, 0, ["deploy", "b"], weights) == ["deploy"]
    assert outputs(path, weights, caffe.TRAIN) == ["train"]
    for args in ([], [weights]):
        with pytest.raises(TypeError, match="needs a phase"):
            caffe.Net(path, *args)
    with pytest.raises(TypeError):
        caffe.Net(
            path, caffe.TEST, 0, [], weights, "replaces", None, None, "cpu", "float32", False, None, True, 7
        )


def test_a_subclass_may_call_either_constructor(fc, tmp_path):
    weights = str(tmp_path / "w.caffemodel")
    caffe.Net(fc, caffe.TEST).save(weights)

    class Old(caffe.Net):
        def __init__(self):
            caffe.Net.__init__(self, fc, weights, caffe.TEST)

    assert Old().outputs == ["prob"] and Old().phase == caffe.TEST


def test_bad_files_are_runtime_errors(fc, tmp_path):
    for args in (
        [str(tmp_path / "no.prototxt"), caffe.TEST],
        [fc, str(tmp_path / "no.caffemodel"), caffe.TEST],
    ):
        with pytest.raises(RuntimeError, match=r"no\.(prototxt|caffemodel).*cannot"):
            caffe.Net(*args)
    with pytest.raises(RuntimeError, match=r"no\.h5"):
        caffe.Net(fc, caffe.TEST).load_hdf5(str(tmp_path / "no.h5"))
    with pytest.raises(RuntimeError, match="no MemoryData"):
        caffe.Net(fc, caffe.TEST).set_input_arrays(np.zeros((3, 2, 6, 7), "f"), np.zeros(3, "f"))


def test_wrong_names_and_shapes(fc):
    net = caffe.Net(fc, caffe.TEST)
    x = np.zeros((3, 2, 6, 7))
    for call in (
        lambda: net.forward(images=x),
        lambda: net.forward(data=x[:2]),
        lambda: net.forward(data=x[:, :, :5]),
        lambda: net.forward(start="convolution"),
        lambda: net.backward(end="convolution"),
        lambda: net.backward(fc=np.zeros((3, 8))),
        lambda: net.backward(prob=np.zeros((2, 8))),
        net.forward_all,
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(KeyError):
        net.forward(blobs=["conv", "conv2"])
    with pytest.raises(KeyError):
        net.params["prob"]
    with pytest.raises(IndexError):
        net.params["conv"][2]


def test_every_name_is_there(fc):
    net = caffe.Net(fc, caffe.TEST)
    assert net._layer_names == list(net.layer_dict) == ["data", "conv", "relu", "fc", "prob"]
    assert net._blob_names == list(net.blobs) == ["data", "conv", "fc", "prob"]
    assert net._blobs == list(net.blobs.values())
    assert [net._blob_names[i] for i in net._inputs] == net.inputs == ["data"]
    assert [net._blob_names[i] for i in net._outputs] == net.outputs == ["prob"]
    assert [net._bottom_ids(i) for i in range(5)] == [[], [0], [1], [1], [2]]
    assert [net._top_ids(i) for i in range(5)] == [[0], [1], [1], [2], [3]]
    assert net.bottom_names["relu"] == net.top_names["relu"] == ["conv"]
    assert [layer.type for layer in net.layers] == ["Input", "Convolution", "ReLU", "InnerProduct", "Softmax"]
    assert net._blob_loss_weights == [0, 0, 0, 0] == list(net.blob_loss_weights.values())
    for names in (
        net.blobs,
        net.params,
        net.layer_dict,
        net.blob_loss_weights,
        net.top_names,
        net.bottom_names,
    ):
        assert isinstance(names, OrderedDict)
    assert all(isinstance(params, BlobVec) for params in net.params.values())
    assert net.params["fc"] is net.layer_dict["fc"].blobs
    assert list(inspect.signature(net.forward).parameters)[:3] == ["blobs", "start", "end"]
    assert list(inspect.signature(net.backward).parameters)[:3] == ["diffs", "start", "end"]


def test_a_blob():
    blob = Blob((2, 3, 5))
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 3, 5, 1, 30)
    assert list(blob.shape) == [2, 3, 5]
    blob.data[1, 2, 4] = 7
    assert blob.data.dtype == blob.diff.dtype == np.float32 and blob.data.flat[29] == 7
    blob.reshape(5, 6)
    assert blob.data[4, 5] == 7 and blob.diff.shape == (5, 6)
    blob.reshape()
    assert blob.shape == () and blob.count == 1
    blobs = BlobVec()
    blobs.add_blob(2, 3)
    blobs.add_blob()
    assert [b.shape for b in blobs] == [(2, 3), ()] and len(blobs) == 2 and not blobs[0].data.any()


def test_arrays_are_views(fc):
    net = caffe.Net(fc, caffe.TEST)
    data, weight = net.blobs["data"].data, net.params["fc"][0].data
    net.forward()
    data[...] = np.random.RandomState(3).standard_normal(data.shape)
    weight[...] = 0
    net.params["fc"][1].data[...] = np.log(np.arange(1, 9))
    np.testing.assert_allclose(net.forward()["prob"][2], np.arange(1, 9) / 36, rtol=1e-6)
    assert net.blobs["conv"].data[2].any()


def test_blobs_outlive_their_net(fc):
    net = caffe.Net(fc, caffe.TEST)
    net.forward(data=np.random.RandomState(5).standard_normal((3, 2, 6, 7)))
    net.backward(prob=np.ones((3, 8)))
    blobs, params, layer = list(net.blobs.values()), net.params["conv"], net.layers[1]
    sums = [blob.data.sum() + blob.diff.sum() for blob in [*blobs, *params]]
    array, copy = blobs[1].data, blobs[1].data.copy()
    del net
    gc.collect()
    assert sums == [blob.data.sum() + blob.diff.sum() for blob in [*blobs, *params]] and any(sums)
    assert layer.blobs is params
    np.testing.assert_array_equal(array, copy)


def test_net_surgery(fc, tmp_path):
    """The weights of a fully connected layer, cast into a convolution that slides over a larger image."""
    (tmp_path / "full.prototxt").write_text(FULL)
    caffe.set_random_seed(2)
    net = caffe.Net(fc, caffe.TEST)
    net.save(str(tmp_path / "w.caffemodel"))
    full = caffe.Net(str(tmp_path / "full.prototxt"), str(tmp_path / "w.caffemodel"), caffe.TEST)
    assert not full.params["fc-conv"][0].data.any()
    for i in (0, 1):
        full.params["fc-conv"][i].data.flat = net.params["fc"][i].data.flat

    image = np.random.RandomState(4).standard_normal((3, 2, 9, 11)).astype(np.float32)
    out = full.forward(data=image)["prob"]
    assert out.shape == (3, 8, 4, 5)
    for y, x in ((0, 0), (3, 4), (1, 3)):
        crop = net.forward(data=image[:, :, y : y + 6, x : x + 7])["prob"]
        np.testing.assert_allclose(out[:, :, y, x], crop, rtol=1e-4)
    assert abs(out[1, :, 1, 3] - out[2, :, 3, 1]).max() > 1e-3


def test_reshape_between_forwards(fc):
    net = caffe.Net(fc, caffe.TEST)
    x = np.random.RandomState(6).standard_normal((5, 2, 6, 7)).astype(np.float32)
    for count in (5, 1, 3):
        net.blobs["data"].reshape(count, 2, 6, 7)
        net.blobs["data"].data[...] = x[:count]
        out = net.forward(blobs=["conv"])  # without net.reshape()
        assert out["prob"].shape == (count, 8) and out["conv"].shape == (count, 5, 4, 5)
        prob = out["prob"].copy()  # the blob's own array, which the next forward changes
        np.testing.assert_allclose(prob, net.forward_all(data=x)["prob"][:count], rtol=1e-5)
    net.blobs["data"].reshape(4, 2, 6, 7)
    net.reshape()
    assert net.blobs["prob"].shape == (4, 8)


def test_forward_all_in_batches(fc):
    net = caffe.Net(fc, caffe.TEST)
    x = np.random.RandomState(7).standard_normal((7, 2, 6, 7)).astype(np.float32)
    assert [len(batch["data"]) for batch in net._batch({"data": x})] == [3, 3, 3]
    assert not list(net._batch({"data": x}))[2]["data"][1:].any()
    out = net.forward_all(blobs=["conv"], data=x)
    assert (
        sorted(out) == ["conv", "prob"] and out["conv"].shape == (7, 5, 4, 5) and out["prob"].shape == (7, 8)
    )
    for i in range(7):
        one = net.forward(data=np.stack([x[0], x[i], x[1]]))["prob"][1]
        np.testing.assert_allclose(out["prob"][i], one, rtol=1e-5)


def test_forward_backward_all_with_diffs(tmp_path):
    path = tmp_path / "force.prototxt"
    path.write_text("force_backward: true" + FC[: FC.index('layer { name: "prob"')])
    net = caffe.Net(str(path), caffe.TRAIN)
    x = np.random.RandomState(7).standard_normal((4, 2, 6, 7)).astype(np.float32)
    seed = np.random.RandomState(8).standard_normal((4, 8)).astype(np.float32)
    blobs, diffs = net.forward_backward_all(diffs=["conv"], data=x, fc=seed)
    assert sorted(blobs) == ["fc"] and sorted(diffs) == ["conv", "data"] and diffs["data"].shape == x.shape
    net.forward(data=np.stack([x[3], x[0], x[1]]))
    last = net.backward(fc=np.stack([seed[3], seed[0], seed[1]]))["data"]
    np.testing.assert_allclose(diffs["data"][[3, 0, 1]], last, rtol=1e-4, atol=1e-6)


def test_save_and_load(fc, tmp_path):
    pytest.importorskip("h5py")
    net = caffe.Net(fc, caffe.TEST)
    net.save(str(tmp_path / "named_anyhow"))
    net.save_hdf5(str(tmp_path / "hdf5_named_anyhow"))
    for load, name in (("copy_from", "named_anyhow"), ("load_hdf5", "hdf5_named_anyhow")):
        other = caffe.Net(fc, caffe.TEST)
        assert abs(other.params["fc"][0].data - net.params["fc"][0].data).max() > 0.01
        getattr(other, load)(str(tmp_path / name))
        for layer, params in net.params.items():
            for mine, theirs in zip(params, other.params[layer], strict=True):
                np.testing.assert_array_equal(mine.data, theirs.data)
    other.share_with(net)
    net.params["conv"][1].data[3] = 2.5
    assert other.params["conv"][1].data[3] == 2.5
