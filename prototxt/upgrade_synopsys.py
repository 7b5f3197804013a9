"""What Synopsys' Caffe says in its own way: paddings of each side, ReLU6, pixel shuffle, UpsampleDarknet."""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import LayerParameter, PoolingParameter
from caffe_compat.prototxt.scanner import Path
from caffe_compat.prototxt.upgrade_error import UpgradeError

_SIDES = {"pad_l": "left", "pad_r": "right", "pad_t": "top", "pad_b": "bottom"}
_PAIRS = ("pad", "pad_h", "pad_w")
_ONLY_PIXELS = (PoolingParameter.AVE_EXC_PAD, PoolingParameter.AVE_TF)


def upgrade_synopsys(layer: LayerParameter, path: Path) -> None:
    """Change one layer in place: paddings that are the same on both sides become pad_h and pad_w, others, and those
    that an average leaves out, padding_sides_param; an average over pixels alone is AVE where there is no padding.
    ReLU with relu6 becomes ReLU6, Reshape with a pixelshuffler DepthToSpace, and UpsampleDarknet becomes Upsample.

    path: to where it comes from. Raises UpgradeError for sides beside another pad, below 0, and of other types.
    Source: these layers of Synopsys' Caffe.
    """
    for type, message in (("Convolution", "convolution_param"), ("Pooling", "pooling_param")):
        if layer.HasField(message) and not layer.HasField("padding_sides_param"):
            _upgrade_padding(layer, type, message, path)
    if layer.relu_param.relu6 and layer.type == "ReLU":
        layer.type = "ReLU6"
        if layer.relu_param.negative_slope:
            layer.relu6_param.negative_slope = layer.relu_param.negative_slope
        layer.ClearField("relu_param")
    if layer.reshape_param.HasField("pixelshuffler") and layer.type == "Reshape":
        block = layer.reshape_param.pixelshuffler
        layer.reshape_param.ClearField("pixelshuffler")
        if block != 1:
            layer.type = "DepthToSpace"
            layer.ClearField("reshape_param")
            layer.depth_to_space_param.block_size, layer.depth_to_space_param.data_format = block, "CRD"
    if layer.type == "UpsampleDarknet":
        layer.type = "Upsample"
        layer.upsample_param.scale = layer.upsample_darknet_param.stride
        layer.ClearField("upsample_darknet_param")


def _upgrade_padding(layer: LayerParameter, type: str, message: str, path: Path) -> None:
    param = getattr(layer, message)
    sides = {name: getattr(param, name) for name in _SIDES if param.HasField(name)}
    for name in sides:
        param.ClearField(name)
    if any(sides.values()):
        pairs = [field.name for field, _ in param.ListFields() if field.name in _PAIRS]
        told, where = f"layer '{layer.name}' ({layer.type})", (*path, message)
        if layer.type != type:
            raise UpgradeError(
                f"{told}: {message} has {next(iter(sides))}, which only type {type} takes; give pad", where
            )
        if pairs:
            raise UpgradeError(f"{told} has {next(iter(sides))} and {pairs[0]}; remove one", where)
        if min(sides.values()) < 0:
            raise UpgradeError(f"{told} has a padding below 0: {sides}", where)
    left, right, top, bottom = (sides.get(name, 0) for name in _SIDES)
    only_pixels = layer.type == type == "Pooling" and param.pool in _ONLY_PIXELS
    if only_pixels:
        param.pool = PoolingParameter.AVE_EXC_PAD
        if not any(sides.values()):
            left = right = param.pad_w if param.HasField("pad_w") else param.pad
            top = bottom = param.pad_h if param.HasField("pad_h") else param.pad
        if not any((left, right, top, bottom)):
            param.pool = PoolingParameter.AVE  # the same without padding: it counts nothing behind the image
            return
        for name in _PAIRS:
            param.ClearField(name)
    if only_pixels or (left, top) != (right, bottom):
        for name, value in zip(_SIDES.values(), (left, right, top, bottom), strict=True):
            if value:
                setattr(layer.padding_sides_param, name, value)
        layer.padding_sides_param.SetInParent()
    elif left or top:
        param.pad_h, param.pad_w = top, left
