"""Gather: tops are bottoms; labels that go through it beside what learns need no gradient."""

import numpy as np

import caffe_compat as caffe

NET = """
layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 3 dim: 4 } shape { dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "g" type: "Gather" bottom: "y" bottom: "t" top: "gy" top: "gt" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "gy" bottom: "gt" top: "loss" }
"""


def test_labels_go_through_beside_what_learns(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    (tmp_path / "plain.prototxt").write_text(
        "\n".join(line for line in NET.splitlines() if "Gather" not in line)
        .replace("gy", "y")
        .replace('"gt"', '"t"')
    )
    nets = [caffe.Net(one, caffe.TRAIN) for one in (path, tmp_path / "plain.prototxt")]
    for net in nets:
        net.blobs["x"].data[...] = np.random.RandomState(1).standard_normal((3, 4))
        net.blobs["t"].data[...] = [1, 4, 0]
        net.params["ip"][0].data[...] = np.random.RandomState(2).standard_normal((5, 4))
        net.forward()
        net.backward()
    assert nets[0].plan[2].propagate_down == [True, False]
    assert np.array_equal(nets[0].params["ip"][0].diff, nets[1].params["ip"][0].diff)
