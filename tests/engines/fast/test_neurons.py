"""Functions of one number as steps: numbers of every size, special ones, in place, and where layers learn."""

import math

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.engines.fast.steps.neuron import KINDS, Neuron

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 5 dim: 7 dim: 11 } } }
layer { name: "neuron" type: "%s" bottom: "data" top: "%s" %s }
"""


def sigmoid(x):
    return np.where(x < -700, 0, 1 / (1 + np.exp(-np.maximum(x, -700))))


def hard_sigmoid(x):
    return np.clip(0.3 * x + 0.4, 0, 1)


# type -> (its params, the function in float64)
CASES = {
    "AbsVal": ("", np.abs),
    "Clip": ("clip_param { min: -0.5 max: 1.25 }", lambda x: np.clip(x, -0.5, 1.25)),
    "Dropout": ("dropout_param { scale_train: false dropout_ratio: 0.25 }", lambda x: 0.75 * x),
    "ELU": ("elu_param { alpha: 0.75 }", lambda x: np.where(x > 0, x, 0.75 * np.expm1(np.minimum(x, 0)))),
    "HardSigmoid": ("hard_sigmoid_param { alpha: 0.3 beta: 0.4 }", hard_sigmoid),
    "HardSwish": ("", lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "Mish": ("", lambda x: x * np.tanh(np.logaddexp(0, x))),
    "Power": ("power_param { scale: 0.75 shift: -0.5 }", lambda x: 0.75 * x - 0.5),
    "Sigmoid": ("", sigmoid),
    "Swish": ("swish_param { beta: 1.5 }", lambda x: x * sigmoid(1.5 * x)),
    "TanH": ("", np.tanh),
}
POWERS = {
    "square": ("power_param { power: 2 scale: 0.75 shift: -0.5 }", lambda x: (0.75 * x - 0.5) ** 2),
    "cube": ("power_param { power: 3 scale: 0.75 shift: -0.5 }", lambda x: (0.75 * x - 0.5) ** 3),
    "root": ("power_param { power: 0.5 scale: 0.75 shift: 0.5 }", lambda x: np.sqrt(0.75 * x + 0.5)),
}


def numbers():
    """Small, middle and large ones of both signs, those where a form of exp or tanh ends, and NaN."""
    ends = [0, 0.624, 0.625, 0.626, 20, 21, 87, 87.2, 87.4, 88.2, 88.4, 89, 1e4, 1e30, math.nan]
    size = 3 * 5 * 7 * 11 - 2 * len(ends)
    sizes = np.geomspace(1e-20, 80, size) * np.random.RandomState(1).choice([-1, 1], size)
    return np.concatenate([sizes, ends, np.negative(ends)]).astype(np.float32).reshape(3, 5, 7, 11)


KINDS_AND_TOPS = [(kind, top) for kind in [*CASES, *POWERS] for top in ("top", "data")]


@pytest.mark.parametrize(("kind", "top"), [one for one in KINDS_AND_TOPS if one != ("AbsVal", "data")])
def test_numbers(kind, top, tmp_path):
    params, function = {**CASES, **POWERS}[kind]
    (tmp_path / "net.prototxt").write_text(NET % (kind if kind in CASES else "Power", top, params))
    net, x = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine="fast"), numbers()
    assert isinstance(net.engine.groups[-1].make_step(), Neuron)
    if top != "data":
        net.blobs["top"].data[...] = np.nan
    net.blobs["data"].data[...] = x
    net.forward()
    with np.errstate(invalid="ignore", over="ignore"):
        want = function(x.astype(np.float64))
        want = want.astype(np.float32)
    # what is subtracted from another number has that one's error
    error = {"ELU": 1e-7, "Power": 1e-7, "square": 1e-7, "cube": 1e-7, "root": 1e-6}.get(kind, 1e-35)
    relative = 1e-5 if kind == "Swish" else 1e-6  # exp multiplies the rounding of its argument
    np.testing.assert_allclose(net.blobs[top].data, want, rtol=relative, atol=error)


def test_every_kind_is_here():
    assert {kind.__name__ for kind in KINDS} == set(CASES)


def test_infinity(tmp_path):
    for kind, (params, function) in CASES.items():
        if kind in ("HardSwish", "Mish", "Swish"):
            continue  # of -infinity they are 0 times it
        (tmp_path / "net.prototxt").write_text(NET % (kind, "top", params))
        net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine="fast")
        net.blobs["data"].data[0], net.blobs["data"].data[1] = math.inf, -math.inf
        net.forward()
        found = net.blobs["top"].data
        assert (found[0] == function(math.inf)).all() and (found[1] == function(-math.inf)).all(), kind


@pytest.mark.parametrize("kind", CASES)
def test_where_layers_learn(kind, tmp_path):
    """A layer that needs its input again keeps it: gradients are those of the strict engine, in place too."""
    text = """
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 5 } } }
        layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
            inner_product_param { num_output: 7 weight_filler { type: "gaussian" std: 0.5 } } }
        layer { name: "neuron" type: "%s" bottom: "fc" top: "%s" %s }
        layer { name: "loss" type: "Reduction" bottom: "%s" top: "loss" loss_weight: 1
            reduction_param { operation: SUMSQ } }
    """
    top, found = "apart" if kind == "AbsVal" else "fc", []
    (tmp_path / "net.prototxt").write_text(text % (kind, top, CASES[kind][0], top))
    for engine in ("fast", "strict"):
        caffe.set_random_seed(3)
        net = caffe.Net(tmp_path / "net.prototxt", caffe.TRAIN, engine=engine)
        net.blobs["data"].data[...] = np.random.RandomState(2).standard_normal((3, 5))
        net.clear_param_diffs()
        net.forward()
        net.backward()
        found.append([net.blobs[top].data.copy(), net.params["fc"][0].diff.copy()])
    for got, want in zip(*found, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
