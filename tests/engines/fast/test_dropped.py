"""InnerProducts beside a Dropout leave out its zeros: which do, and that their numbers are the strict engine's."""

from __future__ import annotations

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.layers.kernels.blas import gemm
from caffe_compat.layers.kernels.sparse_products import gemm_sparse

NET = """
force_backward: true
input: "x" input_shape {{ dim: 37 dim: 53 }}
layer {{ name: "ip1" type: "InnerProduct" bottom: "x" top: "ip1"
        inner_product_param {{ num_output: 150 weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "ip1" top: "{0}" }}
{1}
layer {{ name: "drop" type: "Dropout" bottom: "{0}" top: "{2}" dropout_param {{ dropout_ratio: {3} }} }}
layer {{ name: "ip2" type: "InnerProduct" bottom: "{2}" top: "ip2"
        inner_product_param {{ num_output: 131 weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
layer {{ name: "ip3" type: "InnerProduct" bottom: "{2}" top: "ip3"
        inner_product_param {{ num_output: 19 weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
"""
OTHER = 'layer { name: "other" type: "Power" bottom: "relu" top: "other" power_param { scale: 2 } }'


def run(engine: str, text: str, phase: int = caffe.TRAIN) -> caffe.Net:
    caffe.set_engine(engine)
    caffe.set_random_seed(2)
    try:
        net = net_of(text, phase)
    finally:
        caffe.set_engine("fast")
    rng = np.random.RandomState(1)
    net.blobs["x"].data[...] = rng.standard_normal(net.blobs["x"].shape)
    caffe.set_random_seed(3)
    net.forward()
    for name in net.outputs:
        net.blobs[name].diff[...] = rng.standard_normal(net.blobs[name].shape)
    net.clear_param_diffs()
    net.backward()
    return net


@pytest.mark.parametrize("tops", [("ip1", "", "ip1"), ("relu", "", "relu"), ("ip1", "", "drop")])
def test_the_numbers_are_the_strict_engines(tops):
    text = NET.format(*tops, 0.5)
    nets = [run(engine, text) for engine in ("fast", "strict")]
    fast = nets[0]
    assert fast.layer_dict["ip1"].multiply_diff is gemm_sparse
    assert fast.layer_dict["ip1"].multiply_bottom is gemm
    for name in ("ip2", "ip3"):
        assert fast.layer_dict[name].multiply_bottom is gemm_sparse
        assert fast.layer_dict[name].multiply_diff is gemm
    found, want = (
        [net.blobs["ip2"].data, net.blobs["ip3"].data, net.blobs["x"].diff]
        + [blob.diff for blobs in net.params.values() for blob in blobs]
        for net in nets
    )
    for one, other in zip(found, want, strict=True):
        assert np.abs(other).max() > 0.1
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "phase"),
    [(NET.format("ip1", "", "ip1", 0.3), caffe.TRAIN), (NET.format("ip1", "", "ip1", 0.5), caffe.TEST)],
)
def test_where_few_are_dropped_or_none_nothing_is_left_out(text, phase):
    net = run("fast", text, phase)
    assert {net.layer_dict[name].multiply_bottom for name in ("ip1", "ip2", "ip3")} == {gemm}
    assert net.layer_dict["ip1"].multiply_diff is gemm


def test_what_reaches_others_past_the_dropout_keeps_its_gradient():
    net = run("fast", NET.format("relu", OTHER, "drop", 0.5))
    assert net.layer_dict["ip1"].multiply_diff is gemm
    assert net.layer_dict["ip2"].multiply_bottom is gemm_sparse
