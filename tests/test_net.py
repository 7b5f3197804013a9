"""Net as pycaffe has it: building, forward and backward in parts, views, sharing, callbacks, Python layers."""

import sys

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.tools.run import run_net, steps

NET = """
name: "n"
layer { name: "in" type: "Input" top: "x" top: "t"
        input_param { shape { dim: 2 dim: 3 } shape { dim: 2 dim: 5 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "t" top: "l" loss_weight: 3 }
"""


@pytest.fixture
def net():
    net = net_of(NET)
    rng = np.random.RandomState(1)
    for blob in [net.blobs["x"], net.blobs["t"], *net.params["a"], *net.params["b"]]:
        blob.data[...] = rng.standard_normal(blob.shape)
    return net


def values(net):
    """The net in plain numpy: (b, loss, gradient of b's weight, gradient of x)."""
    x, t = net.blobs["x"].data.astype(float), net.blobs["t"].data.astype(float)
    (wa, ba), (wb, bb) = ([blob.data.astype(float) for blob in net.params[name]] for name in "ab")
    a = np.maximum(x @ wa.T + ba, 0)
    b = a @ wb.T + bb
    db = 3 * (b - t) / len(x)
    da = (db @ wb) * (a > 0)
    return b, ((b - t) ** 2).sum() / (2 * len(x)), db.T @ a, da @ wa


def test_forward_and_backward(net):
    out = net.forward()
    b, loss, db, _ = values(net)
    assert list(out) == ["l"]
    np.testing.assert_allclose(net.blobs["b"].data, b, rtol=1e-5)
    np.testing.assert_allclose(out["l"], loss, rtol=1e-5)
    assert net.forward_from_to() == pytest.approx(3 * loss, rel=1e-5)
    assert net.losses() == {"l": pytest.approx(loss, rel=1e-5)}
    net.backward()
    np.testing.assert_allclose(net.params["b"][0].diff, db, rtol=1e-4, atol=1e-5)
    net.backward()  # adds
    np.testing.assert_allclose(net.params["b"][0].diff, 2 * db, rtol=1e-4, atol=1e-5)
    net.clear_param_diffs()
    assert not net.params["b"][0].diff.any()


def test_names(net):
    assert list(net.blobs) == ["x", "t", "a", "b", "l"]
    assert list(net.params) == ["a", "b"]
    assert net.layer_names == ["in", "a", "r", "b", "loss"]
    assert [layer.type for layer in net.layers] == [
        "Input",
        "InnerProduct",
        "ReLU",
        "InnerProduct",
        "EuclideanLoss",
    ]
    assert (net.inputs, net.outputs) == (["x", "t"], ["l"])
    assert net.bottom_names["loss"] == ["b", "t"] and net.top_names["in"] == ["x", "t"]
    assert net.blob_loss_weights["l"] == 3 and net.blob_loss_weights["b"] == 0
    assert net.layer_dict["r"] is net.layers[2]


def test_parts(net):
    net.forward()
    net.blobs["a"].data[...] = 0
    out = net.forward(start="b", end="b", blobs=["a"])
    assert sorted(out) == ["a", "b"]
    np.testing.assert_allclose(out["b"], np.tile(net.params["b"][1].data, (2, 1)), rtol=1e-6)
    net.forward()
    net.backward(end="b")
    assert net.params["b"][0].diff.any() and not net.params["a"][0].diff.any()
    diffs = net.backward(diffs=["b"], start="loss", end="b")
    assert sorted(diffs) == ["a", "b"]


def test_kwargs(net):
    x, t = np.ones((2, 3)), np.zeros((2, 5))
    out = net.forward(x=x, t=t)
    np.testing.assert_array_equal(net.blobs["x"].data, x)
    np.testing.assert_allclose(out["l"], values(net)[1], rtol=1e-5)
    with pytest.raises(ValueError, match="input blobs are"):
        net.forward(x=x)
    with pytest.raises(ValueError, match="has shape"):
        net.forward(x=np.ones((4, 3)), t=t)


def test_a_seed_in_the_loss_is_heard(net):
    net.forward()
    net.blobs["l"].diff[...] = 6  # twice the loss weight
    net.forward()
    net.backward()
    np.testing.assert_allclose(net.params["b"][0].diff, 2 * values(net)[2], rtol=1e-4, atol=1e-5)


def test_reshape(net):
    net.blobs["x"].reshape(7, 3)
    net.blobs["t"].reshape(7, 5)
    net.reshape()
    assert net.blobs["b"].data.shape == (7, 5)
    net.blobs["x"].data[...] = np.arange(21).reshape(7, 3)
    net.blobs["t"].data[...] = 1
    net.forward()
    np.testing.assert_allclose(net.blobs["b"].data, values(net)[0], rtol=1e-5)


def test_views_outlive_the_net(net):
    data = net.blobs["b"].data
    weight = net.params["a"][0].data
    net.forward()
    copy = data.copy()
    del net
    np.testing.assert_array_equal(data, copy)
    assert weight.shape == (4, 3)


def test_forward_all():
    net = net_of(NET.replace('layer { name: "loss"', 'layer { name: "s" type: "Silence" bottom: "t" } #'))
    net.params["a"][0].data[...] = np.random.RandomState(2).standard_normal((4, 3))
    x = np.random.RandomState(3).standard_normal((5, 3)).astype(np.float32)
    out = net.forward_all(x=x, t=np.zeros((5, 5)))["b"]
    assert out.shape == (5, 5)
    for i in range(5):
        net.forward(x=np.tile(x[i], (2, 1)), t=np.zeros((2, 5)))
        np.testing.assert_allclose(out[i], net.blobs["b"].data[0], rtol=1e-5)


def test_forward_backward_all(net):
    x = np.random.RandomState(4).standard_normal((4, 3)).astype(np.float32)
    data, diffs = net.forward_backward_all(blobs=["b"], diffs=["b"], x=x, t=np.zeros((4, 5)))
    assert data["b"].shape == diffs["b"].shape == (4, 5)
    np.testing.assert_allclose(diffs["b"], 3 * data["b"] / 2, rtol=1e-5)


def test_callbacks(net):
    calls = []
    for when in ("before_forward", "after_forward", "before_backward", "after_backward"):
        getattr(net, when)(lambda i, when=when: calls.append((when, i)))
    net.forward(start="b", end="loss")
    net.backward(end="b")
    assert calls == [
        *[(when, i) for i in (3, 4) for when in ("before_forward", "after_forward")],
        *[(when, i) for i in (4, 3) for when in ("before_backward", "after_backward")],
    ]


def test_files_and_phases(tmp_path, net):
    path = tmp_path / "n.prototxt"
    path.write_text(NET + 'layer { name: "only" type: "Silence" bottom: "l" include { phase: TEST } }')
    net.save(str(tmp_path / "w.caffemodel"))
    old = caffe.Net(str(path), str(tmp_path / "w.caffemodel"), caffe.TEST)
    new = caffe.Net(str(path), caffe.TRAIN, weights=str(tmp_path / "w.caffemodel"))
    as_path = caffe.Net(path, tmp_path / "w.caffemodel", caffe.TEST)
    np.testing.assert_array_equal(as_path.params["a"][0].data, net.params["a"][0].data)
    np.testing.assert_array_equal(old.params["a"][0].data, net.params["a"][0].data)
    np.testing.assert_array_equal(new.params["b"][1].data, net.params["b"][1].data)
    assert "only" in old.layer_dict and "only" not in new.layer_dict
    with pytest.raises(TypeError, match="needs a phase"):
        caffe.Net(str(path))


def test_read_only_branches_have_no_diff():
    net = net_of(
        NET
        + 'layer { name: "c" type: "InnerProduct" bottom: "a" top: "c" propagate_down: false '
        + "inner_product_param { num_output: 5 } } "
        + 'layer { name: "s" type: "Silence" bottom: "c" }'
    )
    net.forward()
    net.backward()
    assert not net.blobs["c"].has_diff and not net.params["c"][0].has_diff
    assert net.blobs["b"].has_diff


def test_labels_that_learn_are_refused():
    net = net_of("""
    layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
    layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 4 } }
    layer { name: "t" type: "InnerProduct" bottom: "x" top: "t" inner_product_param { num_output: 1 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "a" bottom: "t" top: "l" }""")
    net.forward()
    with pytest.raises(caffe.LayerError) as error:
        net.backward()
    assert str(error.value) == (
        "<string>:5: layer 'loss' (SoftmaxWithLoss): a gradient is asked for at bottom 1 ('t'), which can take "
        "none; set propagate_down: false for it"
    )


PYTHON_LAYER = """
import caffe
import numpy as np

class Scale(caffe.Layer):
    def setup(self, bottom, top):
        assert self.param_str == self.param_str_ == "2.5"
        self.factor = float(self.param_str)
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = 2
        self.train = self.phase == caffe.TRAIN

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * self.blobs[0].data[0] * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[0] += self.factor * (top[0].diff * bottom[0].data).sum()
        if propagate_down[0]:
            bottom[0].diff[...] = self.factor * self.blobs[0].data[0] * top[0].diff
"""


def test_python_layer(tmp_path, monkeypatch):
    (tmp_path / "scale_layer_of_test_net.py").write_text(PYTHON_LAYER)
    monkeypatch.syspath_prepend(tmp_path)
    net = net_of(
        NET.replace('bottom: "b" bottom: "t"', 'bottom: "scaled" bottom: "t"').replace(
            'layer { name: "loss"',
            'layer { name: "s" type: "Python" bottom: "b" top: "scaled" '
            'python_param { module: "scale_layer_of_test_net" layer: "Scale" param_str: "2.5" } }\n'
            'layer { name: "loss"',
        )
    )
    assert "caffe" not in sys.modules
    assert net.layer_dict["s"].train
    net.params["a"][0].data[...] = 1
    net.params["b"][0].data[...] = 1
    net.forward(x=np.ones((2, 3)), t=np.zeros((2, 5)))
    np.testing.assert_allclose(net.blobs["b"].data, 12)
    np.testing.assert_allclose(net.blobs["scaled"].data, 60)
    net.backward()
    np.testing.assert_allclose(net.blobs["scaled"].diff, 3 * 60 / 2)
    np.testing.assert_allclose(net.blobs["b"].diff, 5 * 90)
    np.testing.assert_allclose(net.params["s"][0].diff, 2.5 * 90 * 12 * 10)


def test_force_backward():
    caffe.set_random_seed(1)  # one net in 16 has no unit above 0, and no gradient
    net = net_of(
        "force_backward: true" + NET.replace('layer { name: "a"', 'layer { name: "a" param { lr_mult: 0 }')
    )
    net.forward(x=np.ones((2, 3)), t=np.ones((2, 5)))
    net.backward()
    np.testing.assert_allclose(net.blobs["x"].diff, values(net)[3], rtol=1e-4, atol=1e-6)
    assert net.params["a"][0].diff.any()


def test_losses_without_a_name():
    text = NET.replace('top: "l" loss_weight: 3', "") + (
        'layer { name: "second" type: "EuclideanLoss" bottom: "b" bottom: "t" loss_weight: 0.5 }'
    )
    net = net_of(text)
    loss = net.forward_from_to()
    assert list(net.losses()) == ["loss", "second"]
    assert loss == pytest.approx(1.5 * net.losses()["second"], rel=1e-6)


def test_a_weighted_loss_that_others_read_counts_once():
    net = net_of(NET + 'layer { name: "s" type: "Silence" bottom: "l" }')
    x, t = np.ones((2, 3)), np.zeros((2, 5))
    net.forward(x=x, t=t)
    want = values(net)
    net.backward()
    assert net.forward_from_to() == pytest.approx(3 * want[1], rel=1e-5)
    np.testing.assert_allclose(net.params["b"][0].diff, want[2], rtol=1e-4, atol=1e-6)


def test_two_layers_of_one_name(tmp_path):
    with pytest.warns(
        UserWarning, match=r"<string>:8: layer 'a': .* this one is called 'a_2' here, since weights"
    ):
        net = net_of(NET.replace('name: "b" type', 'name: "a" type'))
    other = net_of(NET)
    assert [*net.params] == ["a", "a_2"] and (net.line("a"), net.line("a_2")) == (5, 8)
    assert [*net.top_names] == [name if name != "b" else "a_2" for name in other.top_names]
    net.params["a_2"][0].data[...] = 3
    net.save(tmp_path / "x.caffemodel")
    with pytest.warns(UserWarning):
        again = net_of(NET.replace('name: "b" type', 'name: "a" type'))
    assert again.copy_from(tmp_path / "x.caffemodel").loaded == ["a", "a_2"]
    np.testing.assert_array_equal(again.params["a_2"][0].data, 3)


def test_a_second_run_counts_for_itself(net):
    run_net(net)
    called = []
    report = run_net(net, 2, called.append)
    assert len(called) == steps(net, 2)
    assert called[: len(net.layers)] == net.layer_names
    assert report.iterations == 2 and len(report.losses) == 2


@pytest.mark.parametrize("engine", ["strict", "fast", "torch"])
def test_a_layer_that_found_no_row_is_asked_again(engine, tmp_path):
    if engine == "torch":
        pytest.importorskip("torch")
    path = tmp_path / "net.prototxt"
    path.write_text("""
        layer { name: "p" type: "Input" top: "prob" input_param { shape { dim: 1 dim: 4 dim: 3 dim: 5 } } }
        layer { name: "d" type: "Input" top: "deltas" input_param { shape { dim: 1 dim: 8 dim: 3 dim: 5 } } }
        layer { name: "i" type: "Input" top: "im_info" input_param { shape { dim: 1 dim: 3 } } }
        layer { name: "propose" type: "Proposal" bottom: "prob" bottom: "deltas" bottom: "im_info" top: "rois"
                proposal_param { ratio: 1 scale: 1 scale: 2 feat_stride: 8 min_size: 5 } }
    """)
    net = caffe.Net(path, caffe.TEST, engine=engine)
    net.blobs["im_info"].data[...] = 40, 60, 1
    net.blobs["prob"].data[...] = np.nan
    with pytest.warns(UserWarning, match="not finite"):
        net.forward()
    assert net.blobs["rois"].shape == (0, 5)
    net.blobs["prob"].data[...] = 0.5
    assert net.forward()["rois"].shape == (24, 5)
