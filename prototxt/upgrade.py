"""Older forms of nets and solvers, turned into today's.

Pure functions from message to message. Source: Caffe's UpgradeNetAsNeeded and UpgradeSolverAsNeeded.
"""

from __future__ import annotations

import warnings

from caffe_compat.prototxt.caffe_pb2 import (
    HingeLossParameter,
    LayerParameter,
    NetParameter,
    SolverParameter,
    V0LayerParameter,
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


def upgrade_net(net: NetParameter) -> NetParameter:
    """A copy in today's form: only `layer`, inputs as an Input layer, data transforms in transform_param.

    Raises UpgradeError where old and new forms are mixed or an old field has no place in its layer.
    """
    result = NetParameter()
    result.CopyFrom(net)
    if any(layer.HasField("layer") for layer in result.layers):
        _upgrade_v0(result)
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
    origins += [("layers", i) for i, layer in enumerate(net.layers) if not _is_padding(layer)]
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

# ---- the first generation: all params side by side in layers.layer -----------------------------------------

_V0_TYPES = {
    "accuracy": V1LayerParameter.ACCURACY,
    "bnll": V1LayerParameter.BNLL,
    "cccp": V1LayerParameter.CONVOLUTION,  # of Network in Network
    "concat": V1LayerParameter.CONCAT,
    "conv": V1LayerParameter.CONVOLUTION,
    "data": V1LayerParameter.DATA,
    "dropout": V1LayerParameter.DROPOUT,
    "euclidean_loss": V1LayerParameter.EUCLIDEAN_LOSS,
    "flatten": V1LayerParameter.FLATTEN,
    "hdf5_data": V1LayerParameter.HDF5_DATA,
    "hdf5_output": V1LayerParameter.HDF5_OUTPUT,
    "hingeloss": V1LayerParameter.HINGE_LOSS,  # of DSN, as squaredhingeloss
    "im2col": V1LayerParameter.IM2COL,
    "images": V1LayerParameter.IMAGE_DATA,
    "infogain_loss": V1LayerParameter.INFOGAIN_LOSS,
    "innerproduct": V1LayerParameter.INNER_PRODUCT,
    "lrn": V1LayerParameter.LRN,
    "multinomial_logistic_loss": V1LayerParameter.MULTINOMIAL_LOGISTIC_LOSS,
    "pool": V1LayerParameter.POOLING,
    "relu": V1LayerParameter.RELU,
    "sigmoid": V1LayerParameter.SIGMOID,
    "softmax": V1LayerParameter.SOFTMAX,
    "softmax_loss": V1LayerParameter.SOFTMAX_LOSS,
    "split": V1LayerParameter.SPLIT,
    "squaredhingeloss": V1LayerParameter.HINGE_LOSS,
    "tanh": V1LayerParameter.TANH,
    "window_data": V1LayerParameter.WINDOW_DATA,
}
_V0_PARAMS = {
    "cccp": "convolution_param",
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}
_V0_RENAMED = {
    "batchsize": "batch_size",
    "biasterm": "bias_term",
    "cropsize": "crop_size",
    "det_bg_threshold": "bg_threshold",
    "det_context_pad": "context_pad",
    "det_crop_mode": "crop_mode",
    "det_fg_fraction": "fg_fraction",
    "det_fg_threshold": "fg_threshold",
    "kernelsize": "kernel_size",
    "meanfile": "mean_file",
    "shuffle_images": "shuffle",
}
_V0_TRANSFORM = ("scale", "meanfile", "cropsize", "mirror")
_V0_OF_DSN = ("mean_on_test", "mean_on_train")
_V0_KEPT = ("name", "blobs", "blobs_lr", "weight_decay")


def _upgrade_v0(net: NetParameter) -> None:
    old = list(net.layers)
    _move_padding(net, old)
    net.ClearField("layers")
    for i, layer in enumerate(old):
        if not _is_padding(layer):
            _upgrade_v0_layer(layer, net.layers.add(), ("layers", i))


def _is_padding(layer: V1LayerParameter) -> bool:
    return layer.layer.type == "padding"


def _move_padding(net: NetParameter, layers: list[V1LayerParameter]) -> None:
    """Padding was a layer of its own; it becomes the `pad` of the layer that reads it."""
    producer: dict[str, int | None] = dict.fromkeys(net.input)
    for i, layer in enumerate(layers):
        for j, name in enumerate(layer.bottom):
            if name not in producer:
                raise UpgradeError(f"unknown bottom blob '{name}' (bottom {j})", ("layers", i, "bottom", j))
            source = producer[name]
            if source is None or not _is_padding(layers[source]):
                continue
            if layer.layer.type not in ("conv", "pool") or len(layer.bottom) != 1:
                raise UpgradeError(
                    f"layer '{layer.layer.name}' of type '{layer.layer.type}' reads a padding layer; "
                    "only conv and pool with one bottom can",
                    ("layers", i),
                )
            padding = layers[source]
            if (len(padding.bottom), len(padding.top)) != (1, 1):
                raise UpgradeError("a padding layer takes one bottom and one top", ("layers", source))
            layer.layer.pad = padding.layer.pad
            layer.bottom[j] = padding.bottom[0]
        producer.update(dict.fromkeys(layer.top, i))


def _upgrade_v0_layer(old: V1LayerParameter, new: V1LayerParameter, path: Path) -> None:
    if not old.HasField("layer"):
        raise UpgradeError("found layers with and without an inner 'layer'; use one generation only", path)
    new.bottom.extend(old.bottom)
    new.top.extend(old.top)
    new.unread.extend(old.unread)
    v0 = old.layer
    if v0.HasField("type"):
        if v0.type not in _V0_TYPES:
            raise UpgradeError(f"unknown V0 layer type '{v0.type}'", (*path, "layer", "type"))
        new.type = _V0_TYPES[v0.type]
    for field, value in v0.ListFields():
        name = field.name
        if name in _V0_KEPT:
            _set(new, name, value)
        elif name in _V0_TRANSFORM:
            _set(new.transform_param, _V0_RENAMED.get(name, name), value)
        elif name == "hdf5_output_param" and v0.type == "hdf5_output":
            _set(new, name, value)
        elif name.startswith("det_") and v0.type == "data":
            warnings.warn(
                f"layer '{v0.name}': {name} is read over, as in Caffe: only window_data has it", stacklevel=2
            )
        elif name == "blobs_lr_policy" or (v0.type == "dropout" and name in _V0_OF_DSN):
            continue  # see _upgrade_dsn
        elif name != "type":
            _set_v0_param(v0, new, name, value, (*path, "layer", name))
    _upgrade_dsn(v0, new, path)
    if v0.type == "cccp":  # which counts the outputs of a group
        new.convolution_param.kernel_size[:] = [1]
        new.convolution_param.num_output *= new.convolution_param.group


def _upgrade_dsn(v0: V0LayerParameter, new: V1LayerParameter, path: Path) -> None:
    """What is DSN's: the squared hinge, its dropout, which scales in testing, and rates of params that fall by
    themselves."""
    if v0.type == "squaredhingeloss":
        new.hinge_loss_param.norm = HingeLossParameter.L2
    if v0.type == "dropout" and (v0.mean_on_train or not v0.mean_on_test):
        raise UpgradeError(
            f"layer '{v0.name}': DSN's dropout is built as it is without these fields: it draws in training and takes "
            "the mean in testing; remove mean_on_train and mean_on_test",
            (*path, "layer"),
        )
    if v0.HasField("mean_on_test") or v0.HasField("mean_on_train"):
        new.dropout_param.scale_train = False
    if v0.blobs_lr_policy:
        warnings.warn(
            f"layer '{v0.name}': blobs_lr_policy is read over; in DSN the rates of its params fall by themselves "
            f"({', '.join(v0.blobs_lr_policy)}), here with the solver's: give them another blobs_lr, or train in parts",
            stacklevel=2,
        )


def _set_v0_param(v0: V0LayerParameter, new: V1LayerParameter, name: str, value, path: Path) -> None:
    param = _V0_PARAMS.get(v0.type)
    renamed = _V0_RENAMED.get(name, name)
    of_fork = name == "shuffle_images" and v0.type in ("data", "window_data")  # which have a fork's `shuffle`
    if param is None or of_fork or renamed not in getattr(new, param).DESCRIPTOR.fields_by_name:
        raise UpgradeError(
            f"layer '{v0.name}': a V0 layer of type '{v0.type}' has no field '{name}'; remove it", path
        )
    _set(getattr(new, param), renamed, value)


def _set(message, name: str, value) -> None:
    """Set a field of any kind; one value given to a repeated field becomes its only element."""
    if isinstance(getattr(message, name), (int, float, str, bytes)):
        setattr(message, name, value)
    elif hasattr(value, "CopyFrom"):
        getattr(message, name).CopyFrom(value)
    else:
        getattr(message, name).extend([value] if isinstance(value, int) else value)


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
            _set(new, field.name, value)


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
