"""Older forms of nets and solvers, turned into today's.

Pure functions from message to message. Source: Caffe's UpgradeNetAsNeeded and UpgradeSolverAsNeeded.
"""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import (
    LayerParameter,
    NetParameter,
    SolverParameter,
    V1LayerParameter,
)
from caffe_compat.prototxt.scanner import Path
from caffe_compat.prototxt.upgrade_c3d import upgrade_c3d
from caffe_compat.prototxt.upgrade_error import UpgradeError
from caffe_compat.prototxt.upgrade_fused import parts
from caffe_compat.prototxt.upgrade_nd import upgrade_nd, upgrade_p3d, upgrade_sizes
from caffe_compat.prototxt.upgrade_renamed import upgrade_renamed
from caffe_compat.prototxt.upgrade_rois import upgrade_rois
from caffe_compat.prototxt.upgrade_synopsys import upgrade_synopsys
from caffe_compat.prototxt.upgrade_v0 import is_padding, set_field, upgrade_v0


def upgrade_net(net: NetParameter) -> NetParameter:
    """A copy in today's form: only `layer`, inputs as an Input layer, data transforms in transform_param.

    Raises UpgradeError where old and new forms are mixed or an old field has no place in its layer.
    """
    result = NetParameter()
    result.CopyFrom(net)
    if any(layer.HasField("layer") for layer in result.layers):
        upgrade_v0(result)
    for layer in result.layers:
        _upgrade_data_transform(layer)
    if result.layers:
        _upgrade_v1(result)
    _upgrade_inputs(result)
    _upgrade_fused(result)
    _upgrade_batch_norm(result)
    for new, path in zip(result.layer, layer_origins(net), strict=True):
        upgrade_c3d(new, path)
        upgrade_nd(new, path)
        upgrade_p3d(new, path)
        upgrade_sizes(new, path)
        upgrade_synopsys(new, path)
        upgrade_renamed(new)
        _upgrade_softmax_loss(new, path)
        _upgrade_eltwise_accuracy(new)
        _upgrade_mask_outputs(new)
        _upgrade_holes(new)
    upgrade_rois(result)
    return result


def layer_origins(net: NetParameter) -> list[Path]:
    """For each layer of `upgrade_net(net)`, where it comes from in `net`."""
    origins: list[Path] = [("input", 0)] if _has_input_layer(net) else []
    origins += [("layers", i) for i, layer in enumerate(net.layers) if not is_padding(layer)]
    return origins + [("layer", i) for i, layer in enumerate(net.layer) for _ in parts(layer)]


def upgrade_solver(solver: SolverParameter) -> SolverParameter:
    """A copy whose solver is named by `type`. Raises UpgradeError when `solver_type` is given beside it."""
    result = SolverParameter()
    result.CopyFrom(solver)
    if result.HasField("solver_type"):
        if result.HasField("type"):
            raise UpgradeError(
                "found solver_type and type; remove solver_type, its older form", ("solver_type",)
            )
        result.type = _SOLVER_TYPES[SolverParameter.SolverType.Name(result.solver_type)]
        result.ClearField("solver_type")
    return result


_SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}

# ---- the second generation: layers, with an enum for a type ------------------------------------------------

_DATA_PARAMS = {
    V1LayerParameter.DATA: "data_param",
    V1LayerParameter.IMAGE_DATA: "image_data_param",
    V1LayerParameter.WINDOW_DATA: "window_data_param",
}
_V1_TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BN": "BN",
    "BNLL": "BNLL",
    "CONVOLUTION3D": "Convolution3D",
    "CROP": "AutoCrop",  # of longjon's Caffe, which finds the offset itself
    "DECONVOLUTION3D": "Deconvolution3D",
    "DENSE_CRF": "DenseCRF",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "LRN": "LRN",
    "MCWINDOW_DATA": "MCWindowData",
    "MVN": "MVN",
    "PRELU": "PReLU",
    "POOLING3D": "Pooling3D",
    "RELU": "ReLU",
    "ROI_POOLING": "ROIPooling",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
    "VOXEL_SOFTMAX": "Softmax",
}


def _upgrade_data_transform(layer: V1LayerParameter) -> None:
    name = _DATA_PARAMS.get(layer.type)
    if name is None or not layer.HasField(name):
        return
    param = getattr(layer, name)
    for field in ("scale", "mean_file", "crop_size", "mirror"):
        if param.HasField(field):
            setattr(layer.transform_param, field, getattr(param, field))
            param.ClearField(field)


def _upgrade_v1(net: NetParameter) -> None:
    if net.layer:
        raise UpgradeError(
            "found 'layers' and 'layer'; write all layers in today's form, layer { type: \"...\" }",
            ("layers", 0),
        )
    for layer in net.layers:
        _upgrade_v1_layer(layer, net.layer.add())
    net.ClearField("layers")


def _upgrade_v1_layer(old: V1LayerParameter, new: LayerParameter) -> None:
    for field, value in old.ListFields():
        if field.name == "type":
            name = V1LayerParameter.LayerType.Name(value)
            new.type = _V1_TYPES.get(name, _camel_case(name))
        elif field.name == "fork_type":
            new.type = _V1_TYPES.get(value, _camel_case(value))
        elif field.name in _V1_SPECS:
            for i, number in enumerate(value):
                if i == len(new.param):
                    new.param.add()
                setattr(new.param[i], _V1_SPECS[field.name], number)
        else:
            set_field(new, field.name, value)


def _upgrade_fused(net: NetParameter) -> None:
    layers = [part for layer in net.layer for part in parts(layer)]
    if len(layers) > len(net.layer):
        net.ClearField("layer")
        net.layer.extend(layers)


def _upgrade_softmax_loss(layer: LayerParameter, path: Path) -> None:
    """DeepLab v1 had the label that does not count, and a file of weights, in a message of its own."""
    param = layer.softmaxloss_param
    if param.weight_source or len(param.ignore_label) > 1:
        raise UpgradeError(
            f"layer '{layer.name}': of softmaxloss_param only one ignore_label is taken; give all such labels one "
            "number, and weigh classes by InfogainLoss",
            path,
        )
    if param.ignore_label:
        layer.loss_param.ignore_label = param.ignore_label[0]
    layer.ClearField("softmaxloss_param")


def _upgrade_eltwise_accuracy(layer: LayerParameter) -> None:
    """DeconvNet called Accuracy over the pixels of maps EltwiseAccuracy, with a message of that name."""
    if layer.type == "EltwiseAccuracy":
        layer.type = "Accuracy"
        layer.accuracy_param.CopyFrom(layer.eltwise_accuracy_param)
        layer.ClearField("eltwise_accuracy_param")


def _upgrade_mask_outputs(layer: LayerParameter) -> None:
    """MaskOutputs has the kernel_size of Convolution's message, and once had a message of its own."""
    if layer.type == "MaskOutputs" and layer.HasField("mask_outputs_param"):
        layer.convolution_param.kernel_size[:] = [layer.mask_outputs_param.kernel_size]
        layer.ClearField("mask_outputs_param")


def _upgrade_holes(layer: LayerParameter) -> None:
    """DeepLab v1 called a dilation holes, and ImageData's label has_label."""
    param, holes = layer.convolution_param, ("hole", "hole_h", "hole_w")
    if any(map(param.HasField, holes)):
        hole = param.hole or 1
        param.dilation[:] = [param.hole_h or hole, param.hole_w or hole]
        for name in holes:
            param.ClearField(name)
    if layer.image_data_param.HasField("has_label"):
        layer.image_data_param.label = layer.image_data_param.has_label
        layer.image_data_param.ClearField("has_label")


def _camel_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


_V1_SPECS = {
    "param": "name",
    "blob_share_mode": "share_mode",
    "blobs_lr": "lr_mult",
    "weight_decay": "decay_mult",
}

# ---- smaller changes ---------------------------------------------------------------------------------------


def _has_input_layer(net: NetParameter) -> bool:
    return bool(net.input and (net.input_shape or net.input_dim))


def _upgrade_inputs(net: NetParameter) -> None:
    """`input` with shapes becomes an Input layer; without (in old weights) it says nothing, and goes."""
    shapes = _input_shapes(net)
    if _has_input_layer(net):
        rest = list(net.layer)
        net.ClearField("layer")
        layer = net.layer.add(name="input", type="Input", top=net.input)
        for shape in shapes:
            layer.input_param.shape.add(dim=shape)
        net.layer.extend(rest)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)


def _input_shapes(net: NetParameter) -> list[list[int]]:
    if net.input_shape:
        shapes, given = [list(shape.dim) for shape in net.input_shape], "input_shape"
    else:
        dims = list(net.input_dim)
        shapes, given = [dims[i : i + 4] for i in range(0, len(dims), 4)], "input_dim"
    if shapes and (len(shapes) != len(net.input) or len(net.input_dim) % 4):
        found = (
            f"{len(net.input_shape)} input_shape" if net.input_shape else f"{len(net.input_dim)} input_dim"
        )
        raise UpgradeError(
            f"found {found} for {len(net.input)} input; give one input_shape, or four input_dim, for each",
            (given, 0),
        )
    return shapes


def _upgrade_batch_norm(net: NetParameter) -> None:
    """Three params were once needed to say that the statistics are not trained."""
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            for spec in layer.param:
                spec.lr_mult = spec.decay_mult = 0
