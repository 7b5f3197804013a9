"""Atlas: tops of the shapes in the prototxt, which keep what is written into them."""

import numpy as np
import pytest

import caffe_compat as caffe

NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "model" type: "Atlas" bottom: "x" top: "a" top: "b"
        atlas_param { model_name: "m" output_shape { dim: 4 dim: 5 } output_shape { dim: 6 } } }
layer { name: "p" type: "Power" bottom: "a" top: "y" power_param { scale: 3 } }
"""


@pytest.mark.parametrize("engine", ["strict", "fast"])
def test_tops_keep_what_is_written(engine, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    with pytest.warns(UserWarning, match="the model 'm' runs on Huawei's Atlas only; write what it gives"):
        net = caffe.Net(path, caffe.TEST, engine=engine)
    assert (net.blobs["a"].shape, net.blobs["b"].shape) == ((4, 5), (6,))
    net.blobs["a"].data[...] = np.arange(20).reshape(4, 5)
    for _ in range(2):
        net.forward()
        assert np.array_equal(net.blobs["y"].data, 3 * np.arange(20).reshape(4, 5))


def test_a_shape_for_each_top(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.replace("output_shape { dim: 6 }", ""))
    with pytest.raises(caffe.LayerError, match="has 2 tops and 1 output_shape; give one for each"):
        caffe.Net(path, caffe.TEST)
