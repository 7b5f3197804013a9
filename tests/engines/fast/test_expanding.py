"""The step of a Deconvolution, against the strict engine."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engines.fast.steps.expanding import Expanding

NET = """
input: "x" input_shape {{ dim: {n} dim: 6 dim: {h} dim: {w} }}
layer {{ name: "up" type: "Deconvolution" bottom: "x" top: "up" convolution_param {{ num_output: 15
  kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {stride[0]} stride_w: {stride[1]}
  pad_h: {pad[0]} pad_w: {pad[1]}
  group: {group} bias_term: {bias} }} }}
{followers}
"""
AFFINE = """
layer { name: "bn" type: "BatchNorm" bottom: "up" top: "up" }
layer { name: "scale" type: "Scale" bottom: "up" top: "up" scale_param { bias_term: true } }
layer { name: "prelu" type: "PReLU" bottom: "up" top: "up" }
"""
RELU6 = 'layer { name: "relu6" type: "ReLU6" bottom: "up" top: "up" }'


def run(engine: str, text: str) -> tuple[caffe.Net, np.ndarray]:
    caffe.set_engine(engine)
    try:
        net = net_of(text, caffe.TEST)
    finally:
        caffe.set_engine("fast")
    rng = np.random.default_rng(4)
    for blob in (net.blobs["x"], *(blob for blobs in net.params.values() for blob in blobs)):
        blob.data[...] = rng.standard_normal(blob.shape)
    for blob in net.params.get("bn", []):
        blob.data[...] = np.abs(blob.data) + 0.5
    net.blobs["up"].data[...] = np.nan
    return net, net.forward()["up"].copy()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"followers": AFFINE},
        {"followers": RELU6, "bias": "false"},
        {"group": 3, "followers": AFFINE},
        {"group": 3, "kernel": (8, 4), "stride": (4, 2), "pad": (2, 1)},
        {"kernel": (5, 3), "stride": (1, 1), "pad": (3, 0)},
        {"kernel": (2, 6), "stride": (2, 3), "pad": (0, 2)},
        {"kernel": (16, 9), "stride": (8, 3), "pad": (7, 4)},
        {"h": 1, "w": 1, "kernel": (4, 3), "stride": (1, 2), "followers": AFFINE},
        {"h": 1, "w": 1, "n": 40},
        {"h": 1, "w": 1, "group": 3, "kernel": (5, 4), "pad": (2, 1)},
        {"h": 30, "w": 37, "n": 1},
    ],
    ids=str,
)
def test_the_numbers_are_the_strict_engines(given):
    numbers = {"n": 2, "h": 5, "w": 7, "kernel": (4, 4), "stride": (2, 2), "pad": (1, 1), "group": 1}
    text = NET.format(**{**numbers, "bias": "true", "followers": "", **given})
    (net, found), (_, want) = run("fast", text), run("strict", text)
    (group,) = net.engine.groups
    assert isinstance(group.make_step(), Expanding)
    assert net.engine.rows() == 2
    assert np.abs(want).max() > 1
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-4)
    net.params["up"][0].data[...] *= 2  # what was packed is packed again
    again = run("strict", text)[0]
    again.params["up"][0].data[...] *= 2
    np.testing.assert_allclose(net.forward()["up"], again.forward()["up"], rtol=1e-4, atol=1e-4)


def test_where_most_products_would_be_with_zeros_the_layer_runs_as_it_is():
    text = NET.format(
        n=2, h=5, w=7, kernel=(3, 3), stride=(2, 2), pad=(1, 1), group=1, bias="true", followers=""
    )
    net, found = run("fast", text)
    assert net.engine.rows() == 0
    np.testing.assert_allclose(found, run("strict", text)[1], rtol=1e-5, atol=1e-5)
