"""SRNNFormat in a net, there and back, by each engine; and what does not fit."""

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.engine import EngineChoice
from caffe_compat.errors import LayerError
from layers.harness import Runner

BACK = 'type: "SRNNFormat" srnnformat_param { operation: UNFORMAT }'
NET = """
force_backward: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "rows" type: "SRNNFormat" bottom: "x" top: "rows" top: "going" top: "height" }
layer { name: "twice" type: "Power" bottom: "rows" top: "twice" power_param { scale: 2 } }
layer { name: "maps" type: "SRNNFormat" bottom: "twice" bottom: "height" top: "maps" propagate_down: true
        propagate_down: false srnnformat_param { operation: UNFORMAT } }
layer { name: "loss" type: "Reduction" bottom: "maps" bottom: "going" top: "loss" loss_weight: 1 }
""".replace(' bottom: "going"', "")


@pytest.mark.parametrize("engine", ["strict", "fast", "torch"])
def test_there_and_back(engine):
    if engine == "torch":
        pytest.importorskip("torch")
    net = net_of(NET, caffe.TRAIN, engine=EngineChoice(engine))
    for shape in ((2, 3, 4, 5), (1, 3, 7, 2)):
        net.blobs["x"].reshape(*shape)
        net.blobs["x"].data[...] = np.arange(np.prod(shape)).reshape(shape)
        net.forward()
        np.testing.assert_array_equal(net.blobs["maps"].data, 2 * net.blobs["x"].data)
        net.backward()
        np.testing.assert_array_equal(net.blobs["x"].diff, np.full(shape, 2))


@pytest.mark.parametrize(
    ("layer", "bottoms", "tops", "message"),
    [
        ('type: "SRNNFormat"', [np.ones((2, 3, 4))], 3, "expected N x C x H x W"),
        ('type: "SRNNFormat"', [np.ones((2, 3, 4, 5))], 1, "FORMAT has 1 and 3"),
        (BACK, [np.ones((5, 8, 3)), np.array(3)], 1, "8 sequences are not the rows of such maps"),
        (BACK, [np.ones((5, 8, 3)), np.array(np.nan)], 1, "the height nan"),
        (BACK, [np.ones((5, 8, 3)), np.ones(2)], 1, "the height nan"),
    ],
)
def test_what_does_not_fit(layer, bottoms, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer, bottoms, tops)
