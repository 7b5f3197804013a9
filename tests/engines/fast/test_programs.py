"""Programs: layers that run as steps of one call, against the layers one by one."""

from __future__ import annotations

import importlib
import itertools
import pkgutil

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.engines.fast import program, steps
from caffe_compat.engines.fast.steps import layout, small_maps
from caffe_compat.engines.fast.steps.filtering import Filtering
from caffe_compat.engines.fast.steps.pooling import Pools
from caffe_compat.layers.convolution.conv_geometry import ConvGeometry
from caffe_compat.layers.kernels.micro_kernel import ROWS
from caffe_compat.layers.kernels.sum_tile import WIDTH
from caffe_compat.layers.kernels.vectors import LANES

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
PRELU = 'layer { name: "relu" type: "PReLU" bottom: "conv" top: "conv" prelu_param { filler { type: "gaussian" } } }\n'
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
    "prelu": (CONVOLUTION % "true" + PRELU, ["relu"]),
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


def spans(net):
    """The names of the layers of each step."""
    return [net.layer_names[group.first : group.last + 1] for group in net.engine.groups]


@pytest.mark.parametrize("name", CHAINS)
def test_same_numbers(name, tmp_path):
    text, followers = CHAINS[name]
    fast, strict = make(text, tmp_path, "fast"), make(text, tmp_path, "strict")
    (step,) = (group for group in fast.engine.groups if isinstance(group.make_step(), Filtering))
    assert [fast.layer_names[i] for i in range(step.first + 1, step.last + 1)] == followers
    for net in (fast, strict):
        net.blobs["conv"].data[...] = np.nan
        net.forward()
    for blob in ("conv", "behind"):
        np.testing.assert_allclose(fast.blobs[blob].data, strict.blobs[blob].data, rtol=1e-5, atol=1e-6)


def test_no_chain_where_a_factor_learns(tmp_path):
    text = CONVOLUTION % "true" + SCALE % "true" + RELU % 0
    net = make(text, tmp_path, "fast", caffe.TRAIN)
    assert spans(net)[0] == ["conv", "scale", "relu"]  # there is no loss: nothing learns
    loss = 'layer { name: "loss" type: "Reduction" bottom: "behind" top: "loss" loss_weight: 1 }\n'
    (tmp_path / "net.prototxt").write_text(text + BEHIND + loss)
    assert spans(caffe.Net(tmp_path / "net.prototxt", caffe.TRAIN))[:2] == [["conv"], ["relu"]]


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


# ---- kinds of steps: name -> (layers behind the input "data" of this shape, the spans of their steps) ---------------
def layer(kind, bottom, top, params="", name=None):
    bottoms = " ".join(f'bottom: "{one}"' for one in bottom.split())
    return f'layer {{ name: "{name or top}" type: "{kind}" {bottoms} top: "{top}" {params} }}\n'


def conv(bottom, top, **fields):
    text = " ".join(f"{name}: {value}" for name, value in fields.items())
    fillers = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" std: 0.5 }'
    return layer("Convolution", bottom, top, f"convolution_param {{ {text} {fillers} }}")


def planes(**fields):
    """A filter of 3 x 3 for each of 5 channels, and a follower."""
    follower = layer("PReLU", "top", "top", 'prelu_param { filler { type: "gaussian" std: 0.5 } }', "r")
    return conv("data", "top", num_output=5, group=5, kernel_size=3, **fields) + follower


def of_three(operation):
    """A case of Eltwise: shape, text, spans."""
    text = (
        conv("data", "a", num_output=5, kernel_size=1)
        + conv("data", "b", num_output=5, kernel_size=1)
        + layer("Eltwise", "data a b", "top", f"eltwise_param {{ operation: {operation} }}")
    )
    return (2, 5, 3, 7), text, [["data_data_0_split"], ["a"], ["b"], ["top"]]


def pool(top, **fields):
    text = " ".join(f"{name}: {value}" for name, value in fields.items())
    return layer("Pooling", "data", top, f"pooling_param {{ {text} }}")


def product(top, **fields):
    text = " ".join(f"{name}: {value}" for name, value in fields.items())
    fillers = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" std: 0.5 }'
    return layer("InnerProduct", "data", top, f"inner_product_param {{ {text} {fillers} }}")


SCALED = 'scale_param { bias_term: true filler { type: "gaussian" } bias_filler { type: "gaussian" } }'
CONVOLUTIONS = {
    "1 x 1": ((3, 20, 9, 11), dict(num_output=37, kernel_size=1)),
    "1 x 1 in panels": ((2, 20, 9, 11), dict(num_output=10 * ROWS + 5, kernel_size=1)),
    "1 x 1 in panels, of groups": ((2, 6, 9, 11), dict(num_output=20 * ROWS + 2, kernel_size=1, group=2)),
    "stride 2 in panels": ((2, 7, 19, 22), dict(num_output=20 * ROWS + 1, kernel_size=3, stride=2, pad=1)),
    "1 x 1 of planes a page apart": ((2, 19, 64, 48), dict(num_output=2 * ROWS + 3, kernel_size=1)),
    "1 x 1 with stride 2": ((3, 20, 9, 11), dict(num_output=37, kernel_size=1, stride=2)),
    "1 x 1 with pad 1": ((2, 5, 4, 7), dict(num_output=6, kernel_size=1, pad=1)),
    "stride 2 and 3, dilated": (
        (2, 3, 25, 38),
        dict(num_output=16, kernel_h=3, kernel_w=2, stride_h=2, stride_w=3, pad_h=2, pad_w=1, dilation=2),
    ),
    "stride 4 of an image": ((1, 3, 67, 71), dict(num_output=24, kernel_size=11, stride=4)),
    "rows that end within a vector": ((3, 17, 14, 13), dict(num_output=2 * ROWS + 1, kernel_size=3, pad=1)),
    "bands": ((2, 33, 70, 61), dict(num_output=12, kernel_size=3, pad=1)),
    "many filters of a small map": ((1, 70, 5, 6), dict(num_output=211, kernel_size=3, pad=1)),
    "36 panels of filters": ((1, 5, 4, 6), dict(num_output=36 * ROWS - 1, kernel_size=3)),
    "a window as large as the map": ((3, 7, 5, 6), dict(num_output=9, kernel_h=5, kernel_w=6)),
    "a kernel larger than the map": ((2, 3, 2, 3), dict(num_output=5, kernel_size=5, pad=2)),
    "groups": ((2, 12, 13, 17), dict(num_output=21, kernel_size=3, pad=1, group=3)),
    "depthwise": ((2, 13, 21, 30), dict(num_output=13, kernel_size=3, pad=1, group=13)),
    "depthwise with stride 2": (
        (2, 13, 21, 30),
        dict(num_output=13, kernel_size=5, pad=2, stride=2, group=13),
    ),
    "depthwise with a multiplier": ((2, 6, 11, 12), dict(num_output=12, kernel_size=3, group=6)),
    "as Winograd does it": ((1, 97, 33, 34), dict(num_output=103, kernel_size=3, pad=1)),
    "Winograd's with two images": ((2, 35, 21, 29), dict(num_output=33, kernel_size=3, pad=2)),
    "Winograd's without pad": ((1, 49, 73, 13), dict(num_output=51, kernel_size=3, bias_term="false")),
    "Winograd's in bands": ((1, 65, 70, 61), dict(num_output=26, kernel_size=3, pad=1)),
    "volumes": (
        (2, 5, 6, 7, 9),
        dict(
            num_output=4, kernel_size="3 kernel_size: 2 kernel_size: 4", stride="2 stride: 1 stride: 2", pad=1
        ),
    ),
    "dilated volumes": ((2, 3, 7, 8, 6), dict(num_output=5, kernel_size=3, pad=2, dilation=2)),
    "volumes as Winograd does it": ((1, 16, 3, 33, 34), dict(num_output=103, kernel_size=3, pad=1)),
    "no outputs of an empty batch": ((0, 3, 5, 6), dict(num_output=4, kernel_size=3)),
}


def check(text, shape, tmp_path, threads=None):
    """Both engines agree on each blob, which were NaN before."""
    dims = " ".join(f"dim: {dim}" for dim in shape)
    data = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
    (tmp_path / "net.prototxt").write_text(data + text)
    nets = []
    for engine in ("fast", "strict"):
        caffe.set_random_seed(5)
        net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine=engine)
        for blob in net.blobs.values():
            blob.data[...] = np.nan
        net.blobs["data"].data[...] = np.random.RandomState(1).standard_normal(shape)
        nets.append(net)
        net.forward()
    for name, blob in nets[1].blobs.items():
        largest = np.abs(blob.data).max(initial=1e-6)
        np.testing.assert_allclose(
            nets[0].blobs[name].data, blob.data, rtol=0, atol=1e-5 * largest, err_msg=name
        )
    return nets[0]


@pytest.mark.parametrize("followed", [False, True], ids=["alone", "followed"])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, followed, tmp_path):
    """Also with Scale, the sum with another blob, and ReLU behind it, at once."""
    shape, fields = CONVOLUTIONS[name]
    text = conv("data", "conv", **fields)
    if followed:
        text = conv("data", "other", **fields) + text + layer("Scale", "conv", "conv", SCALED, "scale")
        text += layer("Eltwise", "other conv", "sum") + layer("ReLU", "sum", "sum", name="relu")
    net = check(text, shape, tmp_path)
    assert spans(net)[-1] == (["conv", "scale", "sum", "relu"] if followed else ["conv"])


STEPS = {
    "planes": ((2, 5, 7, 37), planes(pad=1), [["top", "r"]]),
    "narrow planes": ((3, 5, 6, 4), planes(pad=2), [["top", "r"]]),
    "planes without padding": ((2, 5, 3, 35), planes(pad_h=0, pad_w=1), [["top", "r"]]),
    "planes with stride 2": ((2, 5, 9, 70), planes(pad=1, stride=2), [["top", "r"]]),
    "narrow planes with stride 2": ((2, 5, 4, 7), planes(pad_h=1, pad_w=0, stride=2), [["top", "r"]]),
    "planes in bands": ((2, 5, 85, 90), planes(pad=1), [["top", "r"]]),
    "planes in bands with stride 2": ((2, 5, 85, 91), planes(pad=1, stride=2), [["top", "r"]]),
    "large planes": ((2, 5, 41, 515), planes(pad=1), [["top", "r"]]),
    "large planes with stride 2": ((2, 5, 43, 519), planes(pad=1, stride=2), [["top", "r"]]),
    "large planes with much padding": ((2, 5, 41, 215), planes(pad_h=2, pad_w=16), [["top", "r"]]),
    "large planes of few rows": ((2, 5, 3, 2807), planes(pad_h=1, pad_w=0), [["top", "r"]]),
    "large planes of few columns": ((2, 5, 1707, 6), planes(pad=1), [["top", "r"]]),
    "large planes of few columns with stride 2": ((2, 5, 1707, 6), planes(pad=1, stride=2), [["top", "r"]]),
    "planes with much padding": ((2, 5, 9, 6), planes(pad_h=1, pad_w=18), [["top", "r"]]),
    "planes with other strides": ((2, 5, 9, 20), planes(pad=1, stride_h=2, stride_w=1), [["top", "r"]]),
    "depthwise by its type": (
        (2, 5, 7, 18),
        layer(
            "ConvolutionDepthwise",
            "data",
            "top",
            'convolution_param { kernel_size: 5 pad: 2 weight_filler { type: "gaussian" std: 0.3 } }',
        )
        + layer("ReLU", "top", "top", name="r"),
        [["top", "r"]],
    ),
    "a window that is the image": (
        (3, 5, 2, 7),
        conv("data", "top", num_output=19, kernel_h=2, kernel_w=7) + layer("ReLU", "top", "top", name="r"),
        [["top", "r"]],
    ),
    "a window with holes that hangs over the image": (
        (3, 5, 2, 2),
        conv("data", "top", num_output=19, kernel_size=2, stride=3, dilation=2),
        [["top"]],
    ),
    "windows that are images, of many": (
        (19, 5, 2, 7),
        conv("data", "top", num_output=3, kernel_h=2, kernel_w=7),
        [["top"]],
    ),
    "maxima": ((2, 5, 11, 14), pool("top", kernel_size=3, stride=2), [["top"]]),
    "maxima with stride 1": ((2, 5, 11, 14), pool("top", kernel_size=3, stride=1, pad=1), [["top"]]),
    "averages": ((2, 5, 11, 14), pool("top", pool="AVE", kernel_size=3, stride=2, pad=1), [["top"]]),
    "maxima of volumes": ((2, 5, 9, 11, 14), pool("top", kernel_size=2, stride=2), [["top"]]),
    "maxima of volumes with padding": (
        (2, 5, 7, 9, 14),
        layer(
            "PoolingND",
            "data",
            "top",
            "pooling_nd_param { kernel_size: 3 kernel_size: 2 kernel_size: 5 stride: 3 stride: 1 stride: 2 pad: 1 }",
        ),
        [["top"]],
    ),
    "averages of volumes with padding": (
        (2, 5, 7, 9, 14),
        layer(
            "PoolingND",
            "data",
            "top",
            "pooling_nd_param { pool: AVE kernel_size: 3 kernel_size: 2 kernel_size: 5 stride: 2 pad: 1 }",
        ),
        [["top"]],
    ),
    "averages of volumes as a whole": (
        (2, 5, 3, 4, 7),
        pool("top", pool="AVE", global_pooling="true"),
        [["top"]],
    ),
    "maxima of C3D's volumes": (
        (2, 5, 3, 9, 14),
        layer("Pooling3D", "data", "top", "pooling3d_param { kernel_depth: 1 kernel_size: 2 stride: 2 }"),
        [["top"]],
    ),
    "maxima of 2 x 2": ((2, 5, 12, 37), pool("top", kernel_size=2, stride=2), [["top"]]),
    "maxima of 2 x 2 with stride 1": ((2, 5, 6, 7), pool("top", kernel_size=2, stride=1), [["top"]]),
    "maxima of few rows": ((2, 5, 3, 39), pool("top", kernel_size=3, stride=2, pad=1), [["top"]]),
    "maxima of other windows": ((2, 5, 9, 21), pool("top", kernel_h=2, kernel_w=3, stride=2), [["top"]]),
    "maxima first along rows": ((2, 5, 9, 11), pool("top", kernel_size=5, stride=1, pad=2), [["top"]]),
    "averages first along rows": (
        (2, 5, 9, 11),
        pool("top", pool="AVE", kernel_h=4, kernel_w=6, pad_w=3, pad_h=1),
        [["top"]],
    ),
    "averages of narrow planes": ((3, 5, 9, 4), pool("top", pool="AVE", kernel_size=3, pad=1), [["top"]]),
    "averages that end outside": (
        (2, 5, 8, 36),
        pool("top", pool="AVE", kernel_size=3, stride=2),
        [["top"]],
    ),
    "global averages": ((2, 5, 11, 14), pool("top", pool="AVE", global_pooling="true"), [["top"]]),
    "product": (
        (3, 5, 2, 7),
        product("top", num_output=19) + layer("ReLU", "top", "top", name="r"),
        [["top", "r"]],
    ),
    "product of rows": ((6, 5, 2, 7), product("top", num_output=19, axis=2, bias_term="false"), [["top"]]),
    "product whose outputs are no channels": (
        (6, 5, 2, 7),
        product("top", num_output=5, axis=2)
        + layer("Scale", "top", "top", SCALED, "s")
        + layer("ReLU", "top", "top", "relu_param { negative_slope: 0.2 }", "r"),
        [["top"], ["s", "r"]],
    ),
    "product whose outputs are no channels, and relu": (
        (2, 5, 2, 7),
        product("top", num_output=4, axis=-1) + layer("ReLU", "top", "top", name="r"),
        [["top", "r"]],
    ),
    "product of deep rows": ((7, 3, 5, 5), product("top", num_output=19), [["top"]]),
    "product of many rows": ((23, 5), product("top", num_output=19), [["top"]]),
    "scale alone": (
        (2, 5, 3, 4),
        layer("Scale", "data", "top", SCALED) + layer("PReLU", "top", "top", name="r"),
        [["top", "r"]],
    ),
    "scale and relu of rows": (
        (5, 7),
        layer("Scale", "data", "top", SCALED)
        + layer("ReLU", "top", "top", "relu_param { negative_slope: 0.2 }", "r"),
        [["top", "r"]],
    ),
    "relu alone": ((2, 5, 3, 4), layer("ReLU", "data", "top"), [["top"]]),
    "relu of one axis": ((7,), layer("ReLU", "data", "top"), [["top"]]),
    "concat": (
        (2, 5, 3, 4),
        conv("data", "a", num_output=3, kernel_size=1) + layer("Concat", "a data a", "top"),
        [["data_data_0_split"], ["a"], ["a_a_0_split"], ["top"]],
    ),
    "slices": (
        (2, 5, 3, 4),
        'layer { name: "cut" type: "Slice" bottom: "data" top: "top" top: "b" top: "c" '
        "slice_param { slice_point: 2 slice_point: 3 } }\n",
        [["cut"]],
    ),
    "slices of rows": (
        (5, 3, 4),
        'layer { name: "cut" type: "Slice" bottom: "data" top: "top" top: "b" '
        "slice_param { axis: 0 slice_point: 2 } }\n",
        [["cut"]],
    ),
    "maxima of three blobs": of_three("MAX"),
    "product of three blobs": of_three("PROD"),
    "scaled by a blob, and relu": (
        (2, 5, 3, 7),
        pool("a", pool="AVE", global_pooling="true")
        + layer("Flatten", "a", "f")
        + layer("Scale", "data f", "top", "scale_param { axis: 0 }")
        + layer("ReLU", "top", "top", "relu_param { negative_slope: 0.2 }", "r"),
        [["data_data_0_split"], ["a"], ["f"], ["top", "r"]],
    ),
    "axpy, and relu": (
        (2, 5, 3, 7),
        pool("a", pool="AVE", global_pooling="true")
        + conv("data", "b", num_output=5, kernel_size=1)
        + layer("Axpy", "a data b", "top")
        + layer("ReLU", "top", "top", name="r"),
        [["data_data_0_split"], ["a"], ["b"], ["top", "r"]],
    ),
    "shuffled channels": (
        (2, 6, 3, 7),
        layer("ShuffleChannel", "data", "top", "shuffle_channel_param { group: 3 }"),
        [["top"]],
    ),
    "insanity behind a convolution": (
        (2, 5, 3, 7),
        conv("data", "top", num_output=5, kernel_size=3) + layer("Insanity", "top", "top", name="i"),
        [["top", "i"]],
    ),
    "dropout that scales": (
        (2, 5, 3, 7),
        layer("Dropout", "data", "top", "dropout_param { scale_train: false dropout_ratio: 0.3 }"),
        [["top"]],
    ),
    "concat of rows": ((2, 5, 3, 4), layer("Concat", "data data", "top", "concat_param { axis: 0 }"), None),
    "sum": (
        (2, 5, 3, 4),
        conv("data", "a", num_output=5, kernel_size=1)
        + layer("Eltwise", "data a data", "top", "eltwise_param { coeff: 2 coeff: -1 coeff: 3 }")
        + layer("ReLU", "top", "top", name="r"),
        [["data_data_0_split"], ["a"], ["top", "r"]],
    ),
    "a sum of a blob with itself": (
        (2, 5, 3, 4),
        conv("data", "a", num_output=5, kernel_size=1) + layer("Eltwise", "a a", "top"),
        [["a"], ["a_a_0_split"], ["top"]],
    ),
    "lrn": (
        (2, 5, 3, 4),
        layer("LRN", "data", "top", "lrn_param { local_size: 3 alpha: 0.5 k: 2 }"),
        [["top"]],
    ),
    "softmax": ((2, 5, 3, 4), layer("Softmax", "data", "top"), [["top"]]),
    "softmax of another axis": (
        (2, 5, 3, 4),
        layer("Softmax", "data", "top", "softmax_param { axis: 2 }"),
        [["top"]],
    ),
    "permute": (
        (2, 5, 3, 4),
        layer("Permute", "data", "a", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
        + layer("Permute", "a", "b", "permute_param { order: 3 order: 1 order: 2 order: 0 }")
        + layer("Permute", "b", "top", "permute_param { order: 2 order: 0 order: 1 order: 3 }"),
        [["a"], ["b"], ["top"]],
    ),
    "layers as they are": (
        (2, 6, 3, 4),
        conv("data", "a", num_output=6, kernel_size=1)
        + layer("Sigmoid", "a", "a", name="sigmoid")
        + 'layer { name: "slice" type: "Slice" bottom: "a" top: "b" top: "c" }\n'
        + layer("ReLU", "b", "top"),
        [["a"], ["sigmoid"], ["slice"], ["top"]],
    ),
    "not in place": (
        (2, 6, 3, 4),
        conv("data", "a", num_output=6, kernel_size=1)
        + layer("Scale", "a", "b", SCALED)
        + layer("ReLU", "b", "c")
        + product("d", num_output=3).replace('"data"', '"c"')
        + layer("ReLU", "d", "top"),
        [["a", "b", "c"], ["d", "top"]],
    ),
    "not in place, and read elsewhere": (
        (2, 6, 3, 4),
        conv("data", "a", num_output=6, kernel_size=1)
        + layer("ReLU", "a", "b")
        + layer("Eltwise", "a b", "top"),
        [["a"], ["a_a_0_split"], ["b"], ["top"]],
    ),
    "a sum in place": (
        (2, 6, 3, 4),
        conv("data", "a", num_output=6, kernel_size=1)
        + layer("Eltwise", "a data", "top")
        + layer("ReLU", "top", "z"),
        [["data_data_0_split"], ["a", "top", "z"]],
    ),
    "views": (
        (2, 5, 3, 4),
        layer("Flatten", "data", "flat")
        + layer("Dropout", "flat", "flat", name="d")
        + product("top", num_output=3),
        [["data_data_0_split"], ["flat"], ["d"], ["top"]],
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_steps(name, tmp_path):
    shape, text, want = STEPS[name]
    net = check(text, shape, tmp_path)
    assert want is None or spans(net) == want


OWN = "batch_norm_param { use_global_stats: false }"
IN_PLACE = {
    "behind a program": conv("data", "a", num_output=4, kernel_size=1)
    + layer("ReLU", "a", "b")
    + conv("b", "c", num_output=5, kernel_size=3)
    + layer("BatchNorm", "c", "c", OWN, "own")
    + conv("c", "top", num_output=2, kernel_size=1),
    "first in a program": conv("data", "a", num_output=4, kernel_size=1)
    + layer("BatchNorm", "a", "a", OWN, "own")
    + layer("Scale", "a", "a", SCALED, "scale")
    + layer("ReLU", "a", "b", "relu_param { negative_slope: 0.2 }")
    + conv("b", "c", num_output=5, kernel_size=3)
    + conv("c", "top", num_output=2, kernel_size=1),
    "on a view of a blob": layer("Pooling", "data", "a", "pooling_param { kernel_size: 2 }")
    + layer("AbsVal", "a", "b")
    + layer("Eltwise", "b a", "c")
    + layer("Power", "c", "top", "power_param { shift: 1 }")
    + layer("Reshape", "a", "view", "reshape_param { shape { dim: 0 dim: -1 } }")
    + layer("ReLU", "view", "view", name="in place"),
    "behind what ends a step": conv("data", "a", num_output=4, kernel_size=1)
    + layer("ReLU", "a", "b", "relu_param { negative_slope: 0.2 }")
    + layer("Scale", "b", "b", SCALED, "scale")
    + layer("Scale", "b", "c", SCALED)
    + layer("ReLU", "c", "top"),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_on_what_a_program_reads_or_writes(name, tmp_path):
    """Blobs that were left out are made by another run of the program, which must not change others, nor find them
    changed: whichever is asked for first."""
    shape, text = (3, 5, 7, 6), IN_PLACE[name]
    for names in itertools.permutations("abc"):
        dims = " ".join(f"dim: {dim}" for dim in shape)
        data = f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
        (tmp_path / "net.prototxt").write_text(data + text)
        found = []
        for engine in ("fast", "strict"):
            caffe.set_random_seed(5)
            net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine=engine)
            net.blobs["data"].data[...] = np.random.RandomState(1).standard_normal(shape)
            net.forward()
            found.append([net.blobs[blob].data.copy() for blob in [*names, "top"]])
        for got, want in zip(*found, strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_winograds_convolutions_are_done_so(tmp_path, monkeypatch):
    """Those of this name; a band at a time where their tiles take too much memory."""
    for name in ("TRANSFORMED", "LEAST_LANES"):
        monkeypatch.setattr(f"caffe_compat.engines.fast.steps.winograd_rows.{name}", 1)
    for name, (shape, fields) in CONVOLUTIONS.items():
        net = check(conv("data", "conv", **fields), shape, tmp_path)
        if len(shape) == 4:
            assert (net.engine.rows() > 2) == ("Winograd" in name), name


SMALL_MAPS = {
    "pixels": ((3, 21, 5, 3), dict(num_output=2 * WIDTH + 5, kernel_size=1)),
    "more products than a block": ((2, 301, 4, 3), dict(num_output=WIDTH + 1, kernel_size=1)),
    "a window": ((3, 5, 6, 4), dict(num_output=WIDTH + 3, kernel_size=3, pad=1)),
    "strides": (
        (2, 7, 9, 8),
        dict(num_output=WIDTH, kernel_h=2, kernel_w=3, stride_h=2, stride_w=3, pad_w=1),
    ),
    "stride 2 of pixels": ((3, 6, 5, 7), dict(num_output=7, kernel_size=1, stride=2)),
    "a row": ((2, 4, 3, 6), dict(num_output=WIDTH + LANES, kernel_size=3, dilation=1)),
}


@pytest.mark.parametrize("band, together", [(1, 1), (2**18, 30), (2**18, 256)])
def test_small_maps(band, together, tmp_path, monkeypatch):
    """Those of filters for columns, whatever pays; an image or several at a time, and with a sum and ReLU behind."""
    monkeypatch.setattr(small_maps.SmallMaps, "pay", lambda maps, parts: True)
    monkeypatch.setattr(small_maps, "BAND", band)
    monkeypatch.setattr(small_maps, "TOGETHER", together)
    for name, (shape, fields) in SMALL_MAPS.items():
        text = conv("data", "other", **fields) + conv("data", "conv", **fields)
        text += layer("Eltwise", "other conv", "sum") + layer("ReLU", "sum", "sum", name="relu")
        net = check(text, shape, tmp_path)
        is_laid_out = name != "pixels" and name != "more products than a block"
        assert net.engine.rows() == (4 if is_laid_out else 2), name


def test_maps_are_small_where_tiles_of_outputs_would_be_empty():
    """7 x 7 outputs fill three of four vectors of 16; filters fill their tiles, or do not where there are few."""
    geometry = ConvGeometry((3, 3), (1, 1), (1, 1), (1, 1))

    def maps(outputs, width, channels=512):
        return small_maps.SmallMaps(geometry, (1, channels, 7, width), (1, outputs, 7, width))

    assert maps(2 * WIDTH, 7).pay(2) == (LANES == 16)
    assert not maps(2 * WIDTH, 7).pay(3)  # threads
    assert (
        not maps(WIDTH // 2, 7).pay(1) and not maps(2 * WIDTH, 64).pay(1) and not maps(2 * WIDTH, 7, 5).pay(1)
    )


def test_volumes_are_filtered_some_slices_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("caffe_compat.engines.fast.steps.slices.MOST", 4 * 3 * 5 * 7 * 9)
    text = conv("data", "conv", num_output=4, kernel_size=3, pad=1) + layer(
        "ReLU", "conv", "conv", name="relu"
    )
    net = check(text, (2, 5, 3, 7, 9), tmp_path)
    assert net.engine.rows() == 6 * 3 + 2 + 6  # gathered, filtered in two goes, put to their places


def test_steps_that_threads_share(tmp_path, monkeypatch):
    """Whatever the work, all threads take part."""
    names = [module.name for module in pkgutil.iter_modules(steps.__path__)]
    modules = [importlib.import_module(f"{steps.__name__}.{name}") for name in names]
    for module in modules:
        if hasattr(module, "parts_of"):
            monkeypatch.setattr(module, "parts_of", lambda work, least, threads: 3)
    for shape, text, _ in STEPS.values():
        check(text, shape, tmp_path)
    for shape, fields in CONVOLUTIONS.values():
        check(conv("data", "conv", **fields), shape, tmp_path)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kernel, stride", [(7, 1), (5, 2)])
def test_taps_of_a_pooling_stay_in_its_scratch(kernel, stride, threads, tmp_path):
    """Those of the last rows of the last plane too, which are no outputs. With stride 1 rows meet first, in a half."""
    fields = f"kernel_size: {kernel} stride: {stride} pad: 2"
    net = check(
        layer("Pooling", "data", "top", f"pooling_param {{ pool: AVE {fields} }}"), (9, 3, 8, 40), tmp_path
    )
    pools = Pools([net.layer_dict["top"]])
    (row,) = pools.rows([[net.blobs["data"]]], [[net.blobs["top"]]], threads)
    names = ("scratch_size", "depth", "channels", "local_size", "pitch")
    room, taps, vectors, along, pitch = (int(row.fields[name][0]) for name in names)
    geometry = ConvGeometry((kernel,) * 2, (stride,) * 2, (2, 2), (1, 1))
    offsets = layout.Layout(geometry, *net.blobs["top"].shape[:1:-1]).offsets(1, vectors)
    assert (taps, along) == ((kernel, kernel) if stride == 1 else (kernel**2, 0))
    whole = -(-vectors * int(row.fields["plane"][0]) // LANES) * LANES
    last = (kernel - 1) * pitch if along else offsets.max()
    assert whole + max(last, along) <= (room // 2 if along else room)


def test_a_program_follows_shapes_params_and_memory(tmp_path):
    text = conv("data", "conv", num_output=5, kernel_size=3) + layer("ReLU", "conv", "conv", name="relu")
    text += layer(
        "InnerProduct",
        "conv",
        "top",
        'inner_product_param { num_output: 3 axis: 3 weight_filler { type: "msra" } }',
    )
    net = check(text, (2, 3, 6, 9), tmp_path)
    strict = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine="strict")
    strict.share_with(net)

    def agree():
        strict.blobs["data"].reshape(*net.blobs["data"].shape)
        strict.blobs["data"].data[...] = net.blobs["data"].data
        strict.forward(), net.forward()
        np.testing.assert_allclose(net.blobs["top"].data, strict.blobs["top"].data, rtol=1e-5, atol=1e-5)

    agree()
    net.params["conv"][0].data[...] *= -2
    agree()
    held = net.params["conv"][1].data[1:3]  # a slice, written behind the net's back
    agree()
    held += 3
    agree()
    net.params["top"][0].data[...] += 1
    agree()
    net.blobs["data"].reshape(4, 3, 11, 9)
    net.blobs["data"].data[...] = np.random.RandomState(2).standard_normal((4, 3, 11, 9))
    agree()
    net.blobs["data"].reshape(1, 3, 4, 9)
    agree()
    net.params["conv"][0].data[...] += 1
    agree()
    other = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    net.share_with(other), strict.share_with(other)
    agree()
    other.params["top"][0].data[...] = 0.5
    agree()


@pytest.mark.parametrize("how", ["listened to", "part by part"])
def test_programs_of_the_same_layers_have_rows_of_their_own(how, tmp_path):
    """Passes that run the layers as other programs leave those of the whole net as they are."""
    text = conv("data", "conv", num_output=5, kernel_size=3) + layer("ReLU", "conv", "conv", name="relu")
    net = check(
        text + layer("Pooling", "conv", "top", "pooling_param { kernel_size: 2 }"), (2, 3, 6, 9), tmp_path
    )
    strict = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine="strict")
    strict.share_with(net)
    strict.blobs["data"].data[...] = net.blobs["data"].data
    if how == "listened to":
        net.after_forward(print)
        net.forward()
        net.remove_callback(print)
    else:
        net.forward(end="relu")
        net.forward(start="top")
    net.params["conv"][0].data[...] *= -2
    net.params["conv"][1].data[...] += 1
    strict.forward(), net.forward()
    np.testing.assert_allclose(net.blobs["top"].data, strict.blobs["top"].data, rtol=1e-5, atol=1e-5)


def test_whoever_asks_for_all_blobs_waits_for_a_few_runs(tmp_path, monkeypatch):
    """However many blobs share memory: some are made one by one, then all that are left at once."""
    runs = []
    run_steps = program.run_steps
    monkeypatch.setattr(program, "run_steps", lambda *args: (runs.append(1), run_steps(*args)))
    text = "".join(
        conv("data" if i == 0 else f"c{i - 1}", f"c{i}", num_output=5, kernel_size=1) for i in range(12)
    )
    check(text, (2, 3, 4, 5), tmp_path)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    net.blobs["data"].data[...] = 1
    del runs[:]
    net.forward()
    assert len(runs) == 1
    _ = net.blobs["c3"].data, net.blobs["c3"].data
    assert len(runs) == 2
    for blob in net.blobs.values():
        assert np.abs(blob.data).min() > 0
    assert len(runs) == 2 + program.FEW
    net.forward()
    _ = [blob.data for blob in net.blobs.values()]
    assert len(runs) == 3 + program.FEW


def test_blobs_are_the_same_in_whichever_order_they_are_asked_for(tmp_path):
    """A sum that its ReLU hides, of blobs that share memory: to make it asks for these."""
    text = layer("Pooling", "data", "a", "pooling_param { pool: AVE kernel_size: 2 }")
    text += layer("Pooling", "data", "b", "pooling_param { pool: MAX kernel_size: 2 }")
    text += layer("Eltwise", "a b", "sum") + layer("ReLU", "sum", "top")
    check(text, (2, 3, 5, 4), tmp_path)
    strict = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine="strict")
    data = np.random.RandomState(4).standard_normal((2, 3, 5, 4))
    strict.forward(data=data)
    for names in itertools.permutations(["a", "b", "sum", "top"]):
        net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST, engine="fast")
        for name, got in net.forward(names, data=data).items():
            np.testing.assert_allclose(got, strict.blobs[name].data, rtol=1e-6, atol=1e-6, err_msg=f"{names}")


def test_what_shares_the_memory_of_an_input_stays_there(tmp_path):
    """Of splits that nobody has asked for."""
    text = layer("ReLU", "data", "a") + layer("Sigmoid", "data", "b") + layer("Flatten", "data", "c")
    net = check(text + layer("Softmax", "c", "d"), (2, 3, 6, 9), tmp_path)
    net = caffe.Net(tmp_path / "net.prototxt", caffe.TEST)
    x = net.blobs["data"].data[...] = (
        np.random.RandomState(3).standard_normal((2, 3, 6, 9)).astype(np.float32)
    )
    np.testing.assert_array_equal(net.forward(blobs=["a"])["a"], np.maximum(x, 0))


def test_a_program_that_begins_with_a_view_follows_shapes(tmp_path):
    net = check(layer("Flatten", "data", "flat") + layer("ReLU", "flat", "top"), (2, 3, 6, 9), tmp_path)
    for images in (5, 1):
        net.blobs["data"].reshape(images, 3, 6, 9)
        net.blobs["data"].data[...] = np.random.RandomState(images).standard_normal((images, 3, 6, 9))
        net.forward()
        np.testing.assert_array_equal(
            net.blobs["top"].data, np.maximum(net.blobs["data"].data.reshape(images, -1), 0)
        )


def test_a_sum_hides_the_blob_of_its_convolution(tmp_path):
    """It is made when somebody asks for it, and in each pass as long as somebody holds an array of it."""
    text = conv("data", "conv", num_output=3, kernel_size=1) + layer("Eltwise", "conv data", "sum")
    net = check(text, (2, 3, 6, 5), tmp_path)
    data = net.blobs["data"].data
    held = net.blobs["conv"].data
    for factor in (1, 2):
        data *= factor
        net.forward()
        np.testing.assert_allclose(held + data, net.blobs["sum"].data, rtol=1e-5, atol=1e-5)
