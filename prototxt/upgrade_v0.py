"""The first generation of nets, with all params side by side in layers.layer, in the form of the second."""

from __future__ import annotations

import warnings

from caffe_compat.prototxt.caffe_pb2 import (
    HingeLossParameter,
    NetParameter,
    V0LayerParameter,
    V1LayerParameter,
)
from caffe_compat.prototxt.scanner import Path
from caffe_compat.prototxt.upgrade_error import UpgradeError

_TYPES = {
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
_PARAMS = {
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
_RENAMED = {
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
_TRANSFORM = ("scale", "meanfile", "cropsize", "mirror")
_OF_DSN = ("mean_on_test", "mean_on_train")
_KEPT = ("name", "blobs", "blobs_lr", "weight_decay")


def upgrade_v0(net: NetParameter) -> None:
    """Give the layers of a net the form of the second generation, in place.

    Raises UpgradeError where both are mixed, for unknown types, and for fields that have no place in their layer.
    """
    old = list(net.layers)
    _move_padding(net, old)
    net.ClearField("layers")
    for i, layer in enumerate(old):
        if not is_padding(layer):
            _upgrade_layer(layer, net.layers.add(), ("layers", i))


def is_padding(layer: V1LayerParameter) -> bool:
    """Whether it is a layer of its own that pads, which the upgraded net has no more."""
    return layer.layer.type == "padding"


def _move_padding(net: NetParameter, layers: list[V1LayerParameter]) -> None:
    """Padding was a layer of its own; it becomes the `pad` of the layer that reads it."""
    producer: dict[str, int | None] = dict.fromkeys(net.input)
    for i, layer in enumerate(layers):
        for j, name in enumerate(layer.bottom):
            if name not in producer:
                raise UpgradeError(f"unknown bottom blob '{name}' (bottom {j})", ("layers", i, "bottom", j))
            source = producer[name]
            if source is None or not is_padding(layers[source]):
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


def _upgrade_layer(old: V1LayerParameter, new: V1LayerParameter, path: Path) -> None:
    if not old.HasField("layer"):
        raise UpgradeError("found layers with and without an inner 'layer'; use one generation only", path)
    new.bottom.extend(old.bottom)
    new.top.extend(old.top)
    new.unread.extend(old.unread)
    v0 = old.layer
    if v0.HasField("type"):
        if v0.type not in _TYPES:
            raise UpgradeError(f"unknown V0 layer type '{v0.type}'", (*path, "layer", "type"))
        new.type = _TYPES[v0.type]
    for field, value in v0.ListFields():
        name = field.name
        if name in _KEPT:
            set_field(new, name, value)
        elif name in _TRANSFORM:
            set_field(new.transform_param, _RENAMED.get(name, name), value)
        elif name == "hdf5_output_param" and v0.type == "hdf5_output":
            set_field(new, name, value)
        elif name.startswith("det_") and v0.type == "data":
            warnings.warn(
                f"layer '{v0.name}': {name} is read over, as in Caffe: only window_data has it", stacklevel=2
            )
        elif name == "blobs_lr_policy" or (v0.type == "dropout" and name in _OF_DSN):
            continue  # see _upgrade_dsn
        elif name != "type":
            _set_param(v0, new, name, value, (*path, "layer", name))
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
            f"layer '{v0.name}': of DSN's dropouts there is the one that draws in training and takes the mean in "
            "testing; write mean_on_test: true, and remove mean_on_train",
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


def _set_param(v0: V0LayerParameter, new: V1LayerParameter, name: str, value, path: Path) -> None:
    param = _PARAMS.get(v0.type)
    renamed = _RENAMED.get(name, name)
    of_fork = name == "shuffle_images" and v0.type in ("data", "window_data")  # which have a fork's `shuffle`
    if param is None or of_fork or renamed not in getattr(new, param).DESCRIPTOR.fields_by_name:
        raise UpgradeError(
            f"layer '{v0.name}': a V0 layer of type '{v0.type}' has no field '{name}'; remove it", path
        )
    set_field(getattr(new, param), renamed, value)


def set_field(message, name: str, value) -> None:
    """Set a field of any kind; one value given to a repeated field becomes its only element."""
    if isinstance(getattr(message, name), (int, float, str, bytes)):
        setattr(message, name, value)
    elif hasattr(value, "CopyFrom"):
        getattr(message, name).CopyFrom(value)
    else:
        getattr(message, name).extend([value] if isinstance(value, int) else value)
