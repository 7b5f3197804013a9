"""Old forms against what Caffe's own upgrade tools made of them, and against forms written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffe_compat.errors import PrototxtError
from caffe_compat.prototxt.caffe_pb2 import (
    HingeLossParameter,
    NetParameter,
    SolverParameter,
    V0LayerParameter,
    V1LayerParameter,
)
from caffe_compat.prototxt.reader import parse_net, read_net, read_solver
from caffe_compat.prototxt.upgrade import layer_origins, upgrade_net, upgrade_solver
from caffe_compat.prototxt.writer import net_text

LEGACY = Path(__file__).parent.parent / "golden" / "legacy"
NAMES = sorted(file.name.split(".")[0] for file in LEGACY.glob("*.upgraded.prototxt"))


def test_there_are_recordings() -> None:
    assert NAMES == ["solver_nesterov", "solver_old", "transform_old", "v0_small", "v1_small", "v1_train"]


@pytest.mark.parametrize("name", NAMES)
def test_as_caffe_upgrades(name: str) -> None:
    read = read_solver if name.startswith("solver") else read_net
    old, _ = read(LEGACY / f"{name}.prototxt")
    new, _ = read(LEGACY / f"{name}.upgraded.prototxt")
    assert old == new


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("solver")])
def test_todays_form_stays(name: str) -> None:
    new, _ = read_net(LEGACY / f"{name}.upgraded.prototxt")
    assert upgrade_net(new) == new


def test_the_argument_is_left_alone() -> None:
    old = NetParameter(input=["data"], input_dim=[1, 2, 3, 4])
    old.layers.add(name="r", type="RELU")
    copy = NetParameter.FromString(old.SerializeToString())
    upgrade_net(old)
    assert old == copy
    assert layer_origins(old) == [("input", 0), ("layers", 0)]


def test_every_type_of_the_second_generation() -> None:
    """All but the irregular names are the enum's words in capitals."""
    irregular = {
        "NONE": "", "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CROP": "AutoCrop", "DENSE_CRF": "DenseCRF",
        "HDF5_DATA": "HDF5Data",
        "HDF5_OUTPUT": "HDF5Output", "IM2COL": "Im2col", "LRN": "LRN", "MCWINDOW_DATA": "MCWindowData", "MVN": "MVN",
        "RELU": "ReLU", "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH", "CONVOLUTION3D": "Convolution3D",
        "DECONVOLUTION3D": "Deconvolution3D", "POOLING3D": "Pooling3D", "VOXEL_SOFTMAX": "Softmax",
    }  # fmt: skip
    for name, number in V1LayerParameter.LayerType.items():
        net = NetParameter()
        net.layers.add(type=number)
        words = "".join(word.capitalize() for word in name.split("_"))
        assert upgrade_net(net).layer[0].type == irregular.get(name, words)


def test_every_param_of_the_second_generation_has_a_place() -> None:
    """A field of V1LayerParameter that is not upgraded would be lost silently."""
    for field in V1LayerParameter.DESCRIPTOR.fields:
        if field.name.endswith("_param") and field.name != "softmaxloss_param":
            net = NetParameter()
            getattr(net.layers.add(), field.name).SetInParent()
            assert upgrade_net(net).layer[0].HasField(field.name)


def test_the_ignored_label_of_deeplab_v1() -> None:
    net, _ = parse_net("""
        layers { name: "l" type: SOFTMAX_LOSS softmaxloss_param { ignore_label: 255 } }
        """)
    assert net.layer[0].loss_param.ignore_label == 255
    assert not net.layer[0].HasField("softmaxloss_param")
    with pytest.raises(PrototxtError, match="only one ignore_label"):
        parse_net('layers { name: "m" type: SOFTMAX_LOSS softmaxloss_param { ignore_label: [0, 255] } }')


def test_params_of_the_second_generation() -> None:
    net, _ = parse_net("""
        layers { name: "c" type: CONVOLUTION
                 param: "w" blobs_lr: 1 blobs_lr: 2 weight_decay: 3 blob_share_mode: PERMISSIVE }
        """)
    first, second = net.layer[0].param
    assert (first.name, first.lr_mult, first.decay_mult, first.share_mode) == ("w", 1, 3, 1)
    assert second == type(second)(lr_mult=2)


V0_FIELDS = {
    "conv": "num_output biasterm weight_filler bias_filler pad kernelsize group stride",
    "innerproduct": "num_output biasterm weight_filler bias_filler",
    "pool": "pad kernelsize stride pool",
    "dropout": "dropout_ratio mean_on_test",
    "lrn": "local_size alpha beta k",
    "concat": "concat_dim",
    "data": "source batchsize rand_skip",
    "hdf5_data": "source batchsize shuffle_images",
    "images": "source batchsize rand_skip shuffle_images new_height new_width",
    "window_data": "source batchsize det_fg_threshold det_bg_threshold det_fg_fraction det_context_pad "
    "det_crop_mode",
    "infogain_loss": "source",
    "hdf5_output": "hdf5_output_param",
}


def _v0(type_name: str, field: str) -> NetParameter:
    net = NetParameter()
    layer = net.layers.add().layer
    layer.name, layer.type = "l", type_name
    descriptor = V0LayerParameter.DESCRIPTOR.fields_by_name[field]
    if descriptor.message_type:
        getattr(layer, field).SetInParent()
    else:
        setattr(layer, field, "x" if isinstance(getattr(layer, field), str) else 1)
    return net


@pytest.mark.parametrize("type_name", V0_FIELDS)
def test_fields_of_the_first_generation(type_name: str) -> None:
    """Each goes where Caffe puts it (it drops shuffle_images of HDF5 data), and no other field is taken."""
    common = {"name", "type", "blobs", "blobs_lr", "weight_decay", "scale", "meanfile", "cropsize", "mirror"}
    common |= {"blobs_lr_policy", "mean_on_train"}  # of DSN
    for field in (field.name for field in V0LayerParameter.DESCRIPTOR.fields):
        if field in common:
            continue
        if type_name == "data" and field.startswith("det_"):
            with pytest.warns(UserWarning, match=f"{field} is read over, as in Caffe"):
                (layer,) = upgrade_net(_v0(type_name, field)).layer
            assert len(layer.ListFields()) == 2
        elif field in V0_FIELDS[type_name].split():
            (layer,) = upgrade_net(_v0(type_name, field)).layer
            assert len(layer.ListFields()) == 3, f"{field} is lost"  # name, type and the param
        else:
            with pytest.raises(
                PrototxtError, match=f"a V0 layer of type '{type_name}' has no field '{field}'"
            ):
                upgrade_net(_v0(type_name, field))


def test_deeply_supervised_nets() -> None:
    shapes = "input_shape { dim: 2 dim: 3 } input_shape { dim: 2 }"
    text = (
        f'input: "x" input: "t" {shapes} '
        'layers { layer { name: "a" %s } bottom: "x" bottom: "t" top: "y" }'
    )
    (layer,) = parse_net(text % 'type: "squaredhingeloss"')[0].layer[-1:]
    assert (layer.type, layer.hinge_loss_param.norm) == ("HingeLoss", HingeLossParameter.L2)
    (layer,) = parse_net(text % 'type: "hingeloss"')[0].layer[-1:]
    assert (layer.type, layer.hinge_loss_param.norm) == ("HingeLoss", HingeLossParameter.L1)
    dropout = text % 'type: "dropout" dropout_ratio: 0.3 %s'
    (layer,) = parse_net(dropout % "mean_on_test: true mean_on_train: false")[0].layer[-1:]
    assert not layer.dropout_param.scale_train
    assert parse_net(dropout % "")[0].layer[-1].dropout_param.scale_train
    for params in ("mean_on_train: true", "mean_on_test: false"):
        with pytest.raises(PrototxtError, match="write mean_on_test: true, and remove mean_on_train"):
            parse_net(dropout % params)
    with pytest.warns(UserWarning, match=r"in DSN the rates of its params fall by themselves \(power_inv\)"):
        net, _ = parse_net(text % 'type: "innerproduct" num_output: 3 blobs_lr_policy: "power_inv"')
    assert net.layer[-1].type == "InnerProduct"


def test_values_of_the_first_generation() -> None:
    net, _ = parse_net("""
        layers { layer { name: "d" type: "images" source: "a.txt" batchsize: 3 shuffle_images: true
                         scale: 0.5 meanfile: "m" cropsize: 7 mirror: true } top: "d" }
        layers { layer { name: "p" type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1 }
                 bottom: "d" top: "p" }
        layers { layer { name: "c" type: "conv" kernelsize: 3 biasterm: false blobs_lr: 1 weight_decay: 2 }
                 bottom: "p" top: "c" }
        """)
    want, _ = parse_net("""
        layer { name: "d" type: "ImageData" top: "d"
                transform_param { scale: 0.5 mean_file: "m" crop_size: 7 mirror: true }
                image_data_param { source: "a.txt" batch_size: 3 shuffle: true } }
        layer { name: "p" type: "Pooling" bottom: "d" top: "p"
                pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
        layer { name: "c" type: "Convolution" bottom: "p" top: "c" param { lr_mult: 1 decay_mult: 2 }
                convolution_param { kernel_size: 3 bias_term: false } }
        """)
    assert net_text(net) == net_text(want)


def test_inputs() -> None:
    shapes = 'input: "a" input_shape { dim: 2 dim: 5 } input: "b" input_shape { dim: 7 } '
    net, _ = parse_net(shapes + 'layer { name: "r" }')
    want, _ = parse_net("""
        layer { name: "input" type: "Input" top: "a" top: "b"
                input_param { shape { dim: 2 dim: 5 } shape { dim: 7 } } }
        layer { name: "r" }
        """)
    assert net == want
    dims, _ = parse_net('input: "a" input: "b" input_dim: [1, 2, 3, 4, 5, 6, 7, 8]')
    assert [list(shape.dim) for shape in dims.layer[0].input_param.shape] == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_inputs_without_shape_go() -> None:
    """Old .caffemodel files have such."""
    net, _ = parse_net('input: "data" layer { name: "r" }')
    assert net == parse_net('layer { name: "r" }')[0]


def test_batch_norm() -> None:
    three = "param { lr_mult: 1 } param { name: 'v' } param { decay_mult: 3 }"
    net, _ = parse_net(f"layer {{ type: 'BatchNorm' {three} }} layer {{ type: 'Scale' {three} }}")
    assert [(spec.lr_mult, spec.decay_mult) for spec in net.layer[0].param] == [(0, 0)] * 3
    assert net.layer[0].param[1].name == "v"
    assert [(spec.lr_mult, spec.decay_mult) for spec in net.layer[1].param] == [(1, 1), (1, 1), (1, 3)]


SOLVERS = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


@pytest.mark.parametrize("old, new", SOLVERS.items())
def test_solver_types(old: str, new: str) -> None:
    solver = upgrade_solver(SolverParameter(solver_type=SolverParameter.SolverType.Value(old)))
    assert solver == SolverParameter(type=new)


ERRORS = {
    'layer { name: "a" }\nlayers { name: "b" }': (
        "net:2:1: found 'layers' and 'layer'; write all layers in today's form, layer { type: \"...\" }"
    ),
    'layers { layer { name: "a" type: "relu" } }\nlayers { name: "b" type: RELU }': (
        "net:2:1: found layers with and without an inner 'layer'; use one generation only"
    ),
    'layers {\n  layer { name: "a" type: "rleu" } }': "net:2:21: unknown V0 layer type 'rleu'",
    'layers {\n  layer { name: "a" type: "relu" pad: 3 } }': (
        "net:2:34: layer 'a': a V0 layer of type 'relu' has no field 'pad'; remove it"
    ),
    'layers { layer { type: "padding" } bottom: "x"\n top: "y" }': (
        "net:1:36: unknown bottom blob 'x' (bottom 0)"
    ),
    'input: "x"\nlayers { layer { type: "padding" } bottom: "x" top: "p" }\n'
    'layers { layer { name: "r" type: "relu" } bottom: "p" top: "q" }': (
        "net:3:1: layer 'r' of type 'relu' reads a padding layer; only conv and pool with one bottom can"
    ),
    'input: "x"\nlayers { layer { type: "padding" } bottom: "x" top: "p" top: "o" }\n'
    'layers { layer { name: "r" type: "conv" } bottom: "p" top: "q" }': (
        "net:2:1: a padding layer takes one bottom and one top"
    ),
    'input: "x" input: "y"\ninput_shape { dim: 1 }': (
        "net:2:1: found 1 input_shape for 2 input; give one input_shape, or four input_dim, for each"
    ),
    'input: "x"\ninput_dim: 1 input_dim: 2': (
        "net:2:1: found 2 input_dim for 1 input; give one input_shape, or four input_dim, for each"
    ),
    "input_dim: [1, 2, 3, 4]": (
        "net:1:13: found 4 input_dim for 0 input; give one input_shape, or four input_dim, for each"
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors(text: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        parse_net(text, "net")
    assert str(caught.value) == ERRORS[text]


def test_solver_type_and_type(tmp_path: Path) -> None:
    file = tmp_path / "solver.prototxt"
    file.write_text('type: "Adam"\nsolver_type: ADAM')
    with pytest.raises(PrototxtError) as caught:
        read_solver(file)
    assert str(caught.value) == (
        f"{file}:2:1: found solver_type and type; remove solver_type, its older form"
    )


def test_layers_whose_messages_had_other_names() -> None:
    """DeconvNet's EltwiseAccuracy, MaskOutputs of ViewpointsAndKeypoints; both were of the second generation."""
    net, _ = parse_net("""
        layers { name: "a" type: ELTWISE_ACCURACY eltwise_accuracy_param { ignore_label: 255 top_k: 3 } }
        layers { name: "m" type: MASK_OUTPUTS mask_outputs_param { kernel_size: 21 } }
        """)
    accuracy, masked = net.layer
    assert (accuracy.type, masked.type) == ("Accuracy", "MaskOutputs")
    assert (accuracy.accuracy_param.ignore_label, accuracy.accuracy_param.top_k) == (255, 3)
    assert list(masked.convolution_param.kernel_size) == [21]
    assert not accuracy.HasField("eltwise_accuracy_param") and not masked.HasField("mask_outputs_param")


def test_holes_and_has_label() -> None:
    """DeepLab v1's names of a dilation, and of ImageData's label."""
    net, _ = parse_net(
        'layer { name: "a" type: "Convolution" convolution_param { hole: 3 } }'
        'layer { name: "b" type: "Convolution" convolution_param { hole_h: 2 hole_w: 4 } }'
        'layer { name: "c" type: "ImageData" image_data_param { has_label: false } }'
        'layer { name: "d" type: "Convolution" convolution_param { dilation: 5 } }'
    )
    assert [list(layer.convolution_param.dilation) for layer in net.layer] == [[3, 3], [2, 4], [], [5]]
    assert not any(
        layer.convolution_param.HasField(name) for layer in net.layer for name in ("hole", "hole_h", "hole_w")
    )
    param = net.layer[2].image_data_param
    assert (param.HasField("has_label"), param.label) == (False, False)
    assert not net.layer[3].HasField("image_data_param")


def test_cccp_is_a_convolution_of_1_x_1():
    net, _ = parse_net("""
        input: "x" input_dim: 1 input_dim: 4 input_dim: 5 input_dim: 6
        layers { layer { name: "c" type: "cccp" num_output: 3 group: 2 biasterm: false } bottom: "x" top: "y" }
    """)
    layer = net.layer[-1]
    param = layer.convolution_param
    assert (layer.type, param.num_output, param.group, [*param.kernel_size]) == ("Convolution", 6, 2, [1])
    assert not param.bias_term
