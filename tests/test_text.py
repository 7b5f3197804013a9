"""Which name is meant by one that is not known."""

import pytest

from caffe_compat.errors import GraphError
from caffe_compat.layers.registry import layer_class, layer_type_list
from caffe_compat.text import meant, nearest


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("convolution", "Convolution"),
        ("inner_product", "InnerProduct"),
        ("Softmaxwithloss", "SoftmaxWithLoss"),
        ("lrn", "LRN"),
        ("prelu", "PReLU"),
        ("imagedata", "ImageData"),
        ("Convoltion", "Convolution"),
        ("InnerProdcut", "InnerProduct"),
        ("Convolutions", "Convolution"),
        ("FullyConnected", None),
        ("Conv", None),
        ("HardTanh", None),
        ("XReLU", None),
        ("Convolve", None),
        ("BNN", None),
        ("ReLU7", None),
        ("BatchNormalization", None),
        ("Pool", None),
        ("MaxPooling", None),
    ],
)
def test_a_type_is_meant_only_where_it_is_misspelt(name, found):
    assert meant(name, layer_type_list()) == found


def test_what_is_near_may_be_longer():
    assert nearest("con", ["data", "conv"]) == "conv"
    assert nearest("Data", ["data2", "data"]) == "data"
    assert nearest("zz", ["data"]) is None


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("FullyConnected", "Caffe calls that 'InnerProduct'"),
        ("MaxPooling", "Caffe calls that 'Pooling'"),
        ("relu", "did you mean 'ReLU'?"),
        ("Frobnicate", "caffe-compat layers lists those that are known"),
    ],
)
def test_an_unknown_type_says_what_to_write(name, end):
    with pytest.raises(GraphError) as error:
        layer_class(name)
    assert str(error.value) == f"unknown layer type '{name}'; {end}"
