"""An assignment that would have no effect, or break the net, is an error that says what to write."""

import copy
import pickle

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.blob import Blob
from caffe_compat.errors import LayerError

NET = """
input: "data" input_shape { dim: 2 dim: 3 }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "Reduction" bottom: "fc" top: "loss" loss_weight: 2 }"""
ARRAY = np.full((4, 3), 0.5, np.float32)


@pytest.fixture
def net() -> caffe.Net:
    return net_of(NET)


def forbidden(assign, *words: str) -> None:
    with pytest.raises(TypeError) as error:
        assign()
    for one in words:
        assert one in str(error.value)


def test_an_array_cannot_take_the_place_of_a_param(net):
    params = net.params["fc"]
    write = "write net.params['fc'][0].data[...] = array"
    forbidden(lambda: params.__setitem__(0, ARRAY), "net.params['fc'][0] is a Blob, and no ndarray", write)
    forbidden(lambda: net.params.__setitem__("fc", [ARRAY, ARRAY[0]]), "net.params['fc'] stays", write)
    forbidden(lambda: net.layers[1].blobs.__setitem__(0, 3), write)
    forbidden(lambda: params.__setitem__(slice(0, 1), [ARRAY]), "no ndarray can take its place")
    forbidden(lambda: params.append(ARRAY), "net.params['fc'][2] is a Blob")
    forbidden(lambda: params.extend([ARRAY]), "net.params['fc'][2] is a Blob")
    forbidden(lambda: params.insert(0, ARRAY), "net.params['fc'][0] is a Blob")
    params[0].data[...] = ARRAY
    assert net.forward(data=np.ones((2, 3)))["loss"] == 12  # and nothing of it was taken


def test_a_blob_may_take_the_place_of_another(net):
    other = Blob((4, 3))
    other.data[...] = ARRAY
    net.params["fc"][0] = other
    assert net.forward(data=np.ones((2, 3)))["loss"] == 12


def test_what_a_net_has_stays_in_it(net):
    forbidden(lambda: net.blobs.__setitem__("data", ARRAY), "write net.blobs['data'].data[...] = array")
    forbidden(lambda: net.blobs.update(data=ARRAY), "write net.blobs['data'].data[...] = array")
    forbidden(lambda: net.blobs.__delitem__("data"), "stays in it")
    forbidden(lambda: net.layers.__setitem__(0, net.layers[1]), "are those of its prototxt; change it")
    forbidden(lambda: net.layer_dict.__setitem__("fc", net.layers[1]), "are those of its prototxt; change it")
    forbidden(lambda: net.bottoms.__setitem__(0, []), "are those of its prototxt; change it")
    forbidden(lambda: net.tops[0].__setitem__(0, ARRAY), "write top[0].data[...] = array")
    forbidden(lambda: net.blob_list.__setitem__(0, ARRAY), "write blobs[0].data[...] = array")
    forbidden(
        lambda: net.blob_loss_weights.__setitem__("loss", 1), "write net.blobs['loss'].diff[...] = weight"
    )
    assert net.blob_loss_weights["loss"] == 2 and list(net.blobs) == ["data", "fc", "loss"]


def test_an_unknown_name_is_told_with_the_near_one(net):
    for look, message in {
        (lambda: net.blobs["dat"]): "the net has no blob 'dat'; did you mean 'data'?",
        (lambda: net.params["loss"]): "the net has no layer with params 'loss'; there are 'fc'",
        (lambda: net.layer_dict["zz"]): "the net has no layer 'zz'; there are 'input', 'fc', 'loss'",
    }.items():
        with pytest.raises(KeyError) as error:
            look()
        assert error.value.args[0] == message
    assert net.blobs.get("dat") is None and "dat" not in net.blobs


def test_copies_are_plain(net):
    for other in (net.params.copy(), copy.copy(net.params), dict(net.params)):
        other["fc"] = 3
    weights = pickle.loads(pickle.dumps(net.blob_loss_weights))
    weights["loss"] = 3
    assert net.params["fc"][0].shape == (4, 3) and list(weights.items()) == [
        ("data", 0),
        ("fc", 0),
        ("loss", 3),
    ]


def test_a_blob_keeps_its_arrays(net):
    blob = net.params["fc"][0]
    with pytest.raises(AttributeError, match=r"a blob's data stays .* write blob.data\[...\] = array"):
        blob.data = ARRAY
    with pytest.raises(AttributeError, match=r"write blob.reshape\(4,\) and then blob.diff\[...\] = array"):
        blob.diff = ARRAY[:, 0]
    assert not blob.data.any()
    blob.data += 2
    blob.data *= 3
    blob.diff -= 1
    assert (blob.data == 6).all() and (blob.diff == -1).all()
    with pytest.raises(TypeError, match=r"write reshape\(\*shape\)"):
        blob.reshape((2, 3))


class Careless(caffe.Layer):
    """Has its answer take the top's place."""

    def setup(self, bottom, top):
        self.blobs.add_blob(2)
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0] = bottom[0].data * 2


def test_a_python_layer_that_replaces_its_top_is_told():
    net = net_of(
        'input: "x" input_shape { dim: 2 dim: 3 } layer { name: "own" type: "Python" bottom: "x" top: "y" '
        f'python_param {{ module: "{__name__}" layer: "Careless" }} }}'
    )
    with pytest.raises(
        TypeError, match=r"top\[0\] is a Blob, and no ndarray .* write top\[0\].data\[...\] = array"
    ):
        net.forward()
    forbidden(
        lambda: net.params["own"].__setitem__(0, ARRAY[0, :2]), "write net.params['own'][0].data[...] = array"
    )


class WithArrays(caffe.Layer):
    def setup(self, bottom, top):
        self.blobs = [ARRAY]


class WithItsOwnInit(caffe.Layer):
    def __init__(self):
        pass


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            f'module: "{__name__}" layer: "WithArrays"',
            "setup put a ndarray in the place of a Blob; write self.blobs.add_",
        ),
        (
            f'module: "{__name__}" layer: "WithItsOwnInit"',
            "do in setup what __init__ does, or let it take what Caffe gives it: (self, param)",
        ),
        (
            'module: "./own/layers.py" layer: "A"',
            "'./own/layers.py' is a file; write module: \"layers\", and put the folder",
        ),
        ('module: "layers.py" layer: "A"', "'layers.py' is a file; write module: \"layers\""),
    ],
)
def test_a_python_layer_that_cannot_be_made_says_why(spec, message):
    with pytest.raises(LayerError) as error:
        net_of(
            'input: "x" input_shape { dim: 2 dim: 3 } layer { name: "own" type: "Python" bottom: "x" top: "y" '
            f"python_param {{ {spec} }} }}"
        )
    assert error.value.message.startswith("layer 'own' (Python): ") and message in error.value.message
