"""Convolution and what follows it in place, computed at once, against the layers one by one."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.engines.fast.chain import Chain

CONVOLUTION = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 11 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
  num_output: 5 kernel_size: 3 bias_term: %s weight_filler { type: "gaussian" std: 0.3 }
  bias_filler { type: "gaussian" std: 0.5 } } }
"""
BATCH_NORM = 'layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" %s }\n'
SCALE = """layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: %s
  filler { type: "gaussian" std: 0.7 } bias_filler { type: "gaussian" std: 0.5 } } }
"""
RELU = 'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: %s } }\n'
RELU6 = RELU.replace('"ReLU"', '"ReLU6"').replace("relu_param", "relu6_param")
LARGE = CONVOLUTION.replace("std: 0.3", "std: 3")  # so that the limit counts
BEHIND = 'layer { name: "behind" type: "Power" bottom: "conv" top: "behind" power_param { shift: 1 } }\n'

CHAINS = {
    "relu": (CONVOLUTION % "true" + RELU % 0.2, ["relu"]),
    "no-bias": (CONVOLUTION % "false" + RELU % 0, ["relu"]),
    "all": (CONVOLUTION % "true" + BATCH_NORM % "" + SCALE % "true" + RELU % 0, ["bn", "scale", "relu"]),
    "relu6": (LARGE % "true" + BATCH_NORM % "" + SCALE % "true" + RELU6 % 0, ["bn", "scale", "relu"]),
    "scale and bias of its own": (
        CONVOLUTION % "true" + BATCH_NORM % "batch_norm_param { scale_bias: true }" + RELU % 0.2,
        ["bn", "relu"],
    ),
    "relu6 with a slope": (LARGE % "false" + RELU6 % 0.2, ["relu"]),
    "scale": (CONVOLUTION % "false" + SCALE % "false", ["scale"]),
    "not behind a relu": (CONVOLUTION % "true" + RELU % 0 + SCALE % "true", ["relu"]),
    "own statistics": (
        CONVOLUTION % "true" + BATCH_NORM % "batch_norm_param { use_global_stats: false }" + RELU % 0,
        [],
    ),
}


def make(text, tmp_path, engine, phase=caffe.TEST):
    (tmp_path / "net.prototxt").write_text(text + BEHIND)
    caffe.set_random_seed(5)
    net = caffe.Net(tmp_path / "net.prototxt", phase, engine=engine)
    rng = np.random.RandomState(1)
    if "bn" in net.params:
        mean, variance, weight, *learned = net.params["bn"]
        for blob in learned:
            blob.data[...] = rng.standard_normal(5)
        mean.data[...], variance.data[...] = rng.standard_normal(5), rng.uniform(1, 3, 5)
        weight.data[...] = 2
    net.blobs["data"].data[...] = rng.standard_normal(net.blobs["data"].shape)
    return net


@pytest.mark.parametrize("name", CHAINS)
def test_same_numbers(name, tmp_path):
    text, followers = CHAINS[name]
    fast, strict = make(text, tmp_path, "fast"), make(text, tmp_path, "strict")
    chains = [group for group in fast.engine.groups if isinstance(group.fused, Chain)]
    assert [[fast.layer_names[i] for i in range(chain.first + 1, chain.last + 1)] for chain in chains] == [
        followers
    ] * bool(followers)
    for net in (fast, strict):
        net.blobs["conv"].data[...] = np.nan
        net.forward()
    for blob in ("conv", "behind"):
        np.testing.assert_allclose(fast.blobs[blob].data, strict.blobs[blob].data, rtol=1e-5, atol=1e-6)


def test_no_chain_where_a_factor_learns(tmp_path):
    text = CONVOLUTION % "true" + SCALE % "true" + RELU % 0
    net = make(text, tmp_path, "fast", caffe.TRAIN)
    assert [group.last - group.first for group in net.engine.groups] == [
        2
    ]  # there is no loss: nothing learns
    loss = 'layer { name: "loss" type: "Reduction" bottom: "behind" top: "loss" loss_weight: 1 }\n'
    (tmp_path / "net.prototxt").write_text(text + BEHIND + loss)
    assert caffe.Net(tmp_path / "net.prototxt", caffe.TRAIN).engine.groups == []


def test_what_is_seen_between_the_layers(tmp_path):
    """Whoever looks at the blob after one of the layers finds what it left, and the next ones go on from there."""
    text, followers = CHAINS["all"]
    found = {}
    for engine in ("fast", "strict"):
        net = make(text, tmp_path, engine)
        names = [net.layer_names[1], *followers]
        seen = found[engine] = []
        net.after_forward(
            lambda i, net=net, names=names, seen=seen: (
                seen.append(net.blobs["conv"].data.copy()) if net.layer_names[i] in names else None
            )
        )
        net.forward()
    assert len(found["fast"]) == 4
    for got, want in zip(found["fast"], found["strict"], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    assert not np.allclose(found["fast"][0], found["fast"][1])


def test_parts_of_a_chain_run_by_themselves(tmp_path):
    net = make(CHAINS["relu"][0], tmp_path, "fast")
    net.forward(end="conv")
    alone = net.blobs["conv"].data.copy()
    net.forward(start="relu", end="relu")
    np.testing.assert_allclose(net.blobs["conv"].data, np.where(alone > 0, alone, 0.2 * alone), rtol=1e-6)
