"""Layers of C3D's first version, whose fields stood in messages of other layers, in the form of its second."""

from __future__ import annotations

from google.protobuf.message import Message

from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.prototxt.scanner import Path
from caffe_compat.prototxt.upgrade_error import UpgradeError

# type -> where its fields stood, and where they belong
_PARAMS = {
    "Convolution3D": ("convolution_param", "convolution3d_param"),
    "Deconvolution3D": ("convolution_param", "convolution3d_param"),
    "Convdeconv3d": ("convolution_param", "convolution3d_param"),  # CDC's, made from C3D; it is not built
    "Pooling3D": ("pooling_param", "pooling3d_param"),
    "VideoData": ("image_data_param", "video_data_param"),
}
_TRANSFORM = ("scale", "mean_file", "crop_size", "mirror", "mean_value")
_NO_MEANING = ("engine", "use_label")
_OF_P3D = (
    "kernel_h",
    "kernel_w",
    "stride_h",
    "stride_w",
    "pad_h",
    "pad_w",
    "global_pooling",
)  # no first version's
# message -> what only C3D has in it
_OWN = {
    "convolution_param": ("kernel_depth", "temporal_stride", "temporal_pad", "filter_group"),
    "pooling_param": ("kernel_depth", "temporal_stride"),
    "image_data_param": ("new_length", "use_image", "sampling_rate", "use_temporal_jitter"),
}


def upgrade_c3d(layer: LayerParameter, path: Path) -> None:
    """Change one layer in place; path: to where it comes from. Raises UpgradeError for what has no place there.

    Source: the layers of facebookarchive/C3D, versions 1.0 and 1.1.
    """
    old, new = _PARAMS.get(layer.type, ("", ""))
    for message, fields in _OWN.items():
        for field in fields if message != old and layer.HasField(message) else ():
            if getattr(layer, message).HasField(field):
                raise UpgradeError(
                    f"layer '{layer.name}' ({layer.type}): {message}.{field} is for layers of C3D "
                    f"({', '.join(type for type, (name, _) in _PARAMS.items() if name == message)}); remove it",
                    path,
                )
    if old and layer.HasField(old):
        for field, value in getattr(layer, old).ListFields():
            _move(layer, new, field.name, value, (*path, old, field.name))
        layer.ClearField(old)


def _move(layer: LayerParameter, new: str, name: str, value, path: Path) -> None:
    if name in _NO_MEANING:
        return
    target = getattr(layer, new)
    if new == "video_data_param" and name in _TRANSFORM:
        if name == "mean_value" and layer.image_data_param.HasField("mean_file"):
            return  # the file counts
        target = layer.transform_param
    if not hasattr(value, "CopyFrom") and hasattr(value, "__len__") and not isinstance(value, str):
        if len(value) != 1:
            raise UpgradeError(f"{name} is given {len(value)} times; {layer.type} takes it once", path)
        value = value[0]
    _set(target, name, value, layer, path)


def _set(target: Message, name: str, value, layer: LayerParameter, path: Path) -> None:
    field = target.DESCRIPTOR.fields_by_name.get(name)
    if field is None or name in _OF_P3D:
        raise UpgradeError(f"layer '{layer.name}': {layer.type} has no field '{name}'; remove it", path)
    if field.message_type:
        getattr(target, name).CopyFrom(value)
    elif field.is_repeated:
        getattr(target, name).append(value)
    else:
        setattr(target, name, value)
