"""A Convolution or Deconvolution with a filter for each channel, by the fast engine and by the strict one."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.layers.convolution.deconvolution import Transposed
from caffe_compat.layers.convolution.depthwise import Depthwise
from caffe_compat.layers.convolution.im2col_convolution import Im2colConvolution

NET = """force_backward: true
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 3 dim: 5 dim: 11 dim: 8 }} }} }}
layer {{ name: "conv" type: "{type}" bottom: "x" top: "y" convolution_param {{
  num_output: {outputs} {params} weight_filler {{ type: "xavier" }} bias_filler {{ type: "constant" value: 0.5 }} }} }}
"""


@pytest.mark.parametrize("type_, own", [("Convolution", Im2colConvolution), ("Deconvolution", Transposed)])
@pytest.mark.parametrize(
    "outputs, params, kind",
    [
        (5, "group: 5 kernel_size: 3 pad: 1", Depthwise),
        (5, "group: 5 kernel_h: 2 kernel_w: 4 pad_w: 3 stride_h: 3 stride_w: 2 dilation: 2", Depthwise),
        (5, "group: 5 kernel_size: 3 bias_term: false", Depthwise),
        (5, "group: 5 kernel_size: 4 stride: 2 pad: 1", Depthwise),
        (5, "group: 5 kernel_h: 2 kernel_w: 5 stride_h: 2 stride_w: 3 pad_w: 1", Depthwise),
        (10, "group: 5 kernel_size: 3", Im2colConvolution),  # two filters a channel
    ],
)
def test_the_numbers_are_those_of_the_strict_engine(tmp_path, type_, own, outputs, params, kind):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(type=type_, outputs=outputs, params=params))
    results = []
    for engine in ("fast", "strict"):
        caffe.set_random_seed(3)
        net = caffe.Net(str(path), caffe.TRAIN, engine=engine)
        rng = np.random.RandomState(4)
        net.blobs["x"].data[...] = rng.standard_normal((3, 5, 11, 8))
        net.blobs["y"].data[...] = np.nan
        net.forward()
        net.blobs["y"].diff[...] = rng.standard_normal(net.blobs["y"].shape)
        net.blobs["x"].diff[...] = np.nan
        for blob in net.params["conv"]:
            blob.diff[...] = 7
        net.backward()
        results.append(
            [net.blobs["y"].data, net.blobs["x"].diff, *(blob.diff for blob in net.params["conv"])]
        )
        algorithm = net.layer_dict["conv"].algorithm
        assert type(algorithm) is (kind if engine == "fast" and own is Im2colConvolution else own)
        if own is Transposed:
            assert type(algorithm.products) is (kind if engine == "fast" else Im2colConvolution)
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)
        assert np.ptp(want) > 0.5
