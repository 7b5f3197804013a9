"""BatchNorm and Scale at once, against the strict engine, with whatever comes between."""

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from caffe_compat.engines.fast.scaled_batch_norm import find_scaled

NET = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 3 dim: 2 dim: 5 dim: 7 }
  shape { dim: 3 dim: 4 dim: 5 dim: 7 } } }
layer { name: "c1" type: "Convolution" bottom: "x" top: "a" convolution_param { bias_term: false num_output: 6
  kernel_size: 3 pad: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "n1" type: "BatchNorm" bottom: "a" top: "a" batch_norm_param { moving_average_fraction: 0.7 } }
layer { name: "s1" type: "Scale" bottom: "a" top: "a" scale_param { bias_term: true
  filler { type: "uniform" min: 0.5 max: 2 } bias_filler { type: "gaussian" } } }
layer { name: "r1" type: "ReLU" bottom: "a" top: "a" }
layer { name: "c2" type: "Convolution" bottom: "a" top: "b" convolution_param { bias_term: false num_output: 4
  kernel_size: 1 weight_filler { type: "gaussian" std: 1 } } }
layer { name: "n2" type: "BatchNorm" bottom: "b" top: "b" }
layer { name: "s2" type: "Scale" bottom: "b" top: "b" SECOND scale_param { filler { type: "uniform" min: 1 max: 3 } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "b" bottom: "t" }
"""


def nets(second: str = ""):
    """Of the fast and of the strict engine, with the same numbers."""
    found = []
    for engine in ("fast", "strict"):
        caffe.set_random_seed(3)
        net = net_of(NET.replace("SECOND", second), engine=EngineChoice(engine))
        rng = np.random.RandomState(4)
        for name in ("x", "t"):
            net.blobs[name].data[...] = rng.standard_normal(net.blobs[name].shape)
        found.append(net)
    return found


def agree(fast, strict) -> None:
    for name, blob in strict.blobs.items():
        np.testing.assert_allclose(fast.blobs[name].data, blob.data, rtol=1e-4, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(fast.blobs[name].diff, blob.diff, rtol=1e-3, atol=1e-5, err_msg=name)
    for name, params in strict.params.items():
        for own, param in zip(fast.params[name], params, strict=True):
            np.testing.assert_allclose(own.data, param.data, rtol=1e-4, atol=1e-5, err_msg=name)
            np.testing.assert_allclose(own.diff, param.diff, rtol=1e-3, atol=1e-4, err_msg=name)


def places(net) -> list[int]:
    return [i for i, _ in find_scaled(net.graph, net.layers, net.plan)]


def passes(net) -> None:
    net.forward()
    net.backward()


def listened(net, when: str) -> None:
    seen: list[int] = []
    getattr(net, when)(seen.append)
    passes(net)
    net.remove_callback(seen.append)
    assert len(seen) >= 8


def in_parts(net) -> None:
    net.forward(end="n1")
    net.forward(start="s1")
    net.backward(end="s2")
    net.backward(start="n2", end="s1")
    net.backward(start="n1")


def norm_again(net) -> None:
    """The Scale's gradient is still that of its own input."""
    net.forward()
    before = net.blobs["a"].data.copy()
    net.run_layer(2)
    net.blobs["a"].data[...] = before
    net.backward()


def scale_again(net) -> None:
    net.forward()
    net.run_layer(3)
    net.backward()


WAYS = {
    "whole": passes,
    "listened to": lambda net: listened(net, "after_forward"),
    "listened to backward": lambda net: listened(net, "before_backward"),
    "in parts": in_parts,
    "norm again": norm_again,
    "scale again": scale_again,
    "backward twice": lambda net: (passes(net), net.backward()),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_what_both_layers_do(way):
    fast, strict = nets()
    assert places(fast) == [2, 6]
    for net in (fast, strict):
        passes(net)  # one of the ordinary kind before, and one behind
        WAYS[way](net)
        passes(net)
    agree(fast, strict)
    assert all(pair.has_run for _, pair in fast.engine.scaled.items())


def test_what_does_not_learn():
    for second in ("param { lr_mult: 0 }", "propagate_down: false"):
        fast, strict = nets(second)
        for net in (fast, strict):
            passes(net)
        agree(fast, strict)


@pytest.mark.parametrize(
    "old, new",
    [
        ('bottom: "b" top: "b" SECOND scale', 'bottom: "b" top: "b2" SECOND scale'),
        ("SECOND scale_param {", "scale_param { axis: 2 num_axes: 0 "),
        (
            'name: "n2" type: "BatchNorm"',
            'name: "n2" type: "BatchNorm" batch_norm_param { use_global_stats: true }',
        ),
    ],
)
def test_others_run_by_themselves(old, new):
    text = NET.replace(old, new).replace("SECOND", "")
    if "b2" in new:
        text = text.replace('bottom: "b" bottom: "t"', 'bottom: "b2" bottom: "t"')
    assert places(net_of(text, engine=EngineChoice("fast"))) == [2]
