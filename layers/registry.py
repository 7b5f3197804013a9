"""Which class computes which layer type. One file a layer; each registers itself with `@register("Type")`.

The file of a type is imported when somebody asks for the type; `type_files.py` says which it is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import numpy as np
from google.protobuf.message import Message

from caffe_compat.errors import GraphError, PrototxtError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.settings import LayerSettings, set_attributes
from caffe_compat.layers.not_built import NOT_BUILT
from caffe_compat.layers.type_files import FILES
from caffe_compat.prototxt import caffe_pb2
from caffe_compat.text import meant

registered: dict[str, type[Layer]] = {}  # the classes of the files that have been imported

# what other tools call a type; names in lower case
_ELSEWHERE = {
    "conv": "Convolution",
    "conv2d": "Convolution",
    "convtranspose": "Deconvolution",
    "fullyconnected": "InnerProduct",
    "fc": "InnerProduct",
    "linear": "InnerProduct",
    "dense": "InnerProduct",
    "batchnormalization": "BatchNorm",
    "bnorm": "BatchNorm",
    "pool": "Pooling",
    "maxpool": "Pooling",
    "maxpooling": "Pooling",
    "avgpooling": "Pooling",
    "averagepooling": "Pooling",
    "leakyrelu": "ReLU",
    "inputdata": "Input",
    "add": "Eltwise",
    "crossentropyloss": "SoftmaxWithLoss",
    "mseloss": "EuclideanLoss",
}

L = TypeVar("L", bound=type[Layer])
Describes = Callable[[caffe_pb2.LayerParameter], bool]

forms: dict[str, list[tuple[Describes, str]]] = {}  # of a type: the types that compute it for some params


def register(name: str) -> Callable[[L], L]:
    """Class decorator: this class computes the layer type `name`."""

    def add(cls: L) -> L:
        cls.type = name
        registered[name] = cls
        return cls

    return add


def register_form(name: str, of: str, describes: Describes) -> Callable[[L], L]:
    """Class decorator: this class computes the type `name`, and layers of type `of` that `describes` picks."""
    forms.setdefault(of, []).append((describes, name))
    return register(name)


def layer_type_list() -> list[str]:
    """All layer types that can be run, sorted."""
    return sorted({*FILES, *registered})


def layer_class(name: str) -> type[Layer]:
    """The class of a layer type. Raises GraphError that names the nearest known type, or the way out."""
    if name in NOT_BUILT:
        raise GraphError(f"layer type '{name}': {NOT_BUILT[name]}")
    for file in FILES.get(name, ()):
        import_module(file)
    found = registered.get(name)
    if found is None:
        near = meant(name, layer_type_list())
        other = _ELSEWHERE.get(name.lower())
        hint = f"did you mean '{near}'?" if near else "caffe-compat layers lists those that are known"
        if other and not near:
            hint = f"Caffe calls that '{other}'"
        new = _unlisted_file(name)
        if new is not None:
            hint = f"{new} registers it: run scripts/generate_layer_files.py, so that nets find it"
        raise GraphError(f"unknown layer type '{name}'; {hint}")
    return found


def _unlisted_file(name: str) -> Path | None:
    """The file of a checkout that registers a type and is not in FILES yet."""
    folder, text = Path(__file__).parent, f'@register("{name}")'
    found = (path for path in folder.rglob("*.py") if text in path.read_text(encoding="utf-8"))
    return next((path.relative_to(folder.parent) for path in found), None)


def computed_type(layer: Layer) -> str:
    """The layer type that the class of a layer computes, whatever its prototxt says.

    Of python_param's OHEMDataLayer that is HardRoIMining. Of a user's own class it is Python, also where the class
    derives from a built-in one: it may compute something else.
    """
    return vars(type(layer)).get("type", "Python")


def create_layer(
    layer_param: caffe_pb2.LayerParameter,
    phase: int,
    dtype=np.float32,
    settings: LayerSettings | None = None,
    python_layers: bool = True,
) -> Layer:
    """Make the layer that a LayerParameter describes; for type Python, of the class that python_param names.

    It gets the attributes that the settings have for its class. python_layers: whether a module that python_param names
    may be imported; else its class has to be a built-in one.
    Raises GraphError for an unknown type, PrototxtError for a field that is not known, LayerError for a param that the
    class refuses, for a setting that it does not have, and when a Python layer's class cannot be had. A message for
    other types (relu_param of a Pooling layer) is a warning: Caffe ignores it too.
    """
    layer = _create(layer_param, phase, dtype, python_layers)
    set_attributes(layer, settings or {})
    return layer


def _create(layer_param: caffe_pb2.LayerParameter, phase: int, dtype, python_layers: bool) -> Layer:
    unread = [field.told for field in layer_param.unread[:1]]
    try:
        cls = layer_class(layer_param.type)
    except GraphError as error:
        raise GraphError("; ".join([error.message, *unread])) from None
    if unread:
        raise PrototxtError(unread[0])
    for describes, name in forms.get(layer_param.type, ()):
        cls = layer_class(name) if describes(layer_param) else cls
    create = cls.create if python_layers else cls.create_built_in
    layer = create(layer_param, phase, dtype)
    for name, way_out in cls.refused.items():
        if _is_given(layer_param, *name.split(".")):
            raise layer.error(f"{name} has no effect here; {way_out}")
    for name in _not_read(layer_param, cls):
        warnings.warn(
            f"layer '{layer.name}' ({layer.type}): {name} is for other types of layers; it has no effect, as in Caffe",
            stacklevel=3,
        )
    return layer


def _not_read(layer_param: caffe_pb2.LayerParameter, cls: type[Layer]) -> list[str]:
    """The messages that are given though the class does not read them; none where it does not say what it reads."""
    if cls.reads is None:
        return []
    read = {"python_param", *cls.reads}  # Layer itself reads python_param
    given = [field.name for field, _ in layer_param.ListFields() if field.message_type]
    return [name for name in given if name.endswith("_param") and name not in read]


def _is_given(message: Message, field: str, *within: str) -> bool:
    """Whether a field, or one within it, is there with another value than its default."""
    values = {descriptor.name: value for descriptor, value in message.ListFields()}
    if field not in values:
        return False
    if within:
        return _is_given(values[field], *within)
    return values[field] != message.DESCRIPTOR.fields_by_name[field].default_value
