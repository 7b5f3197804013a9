"""Nets written in Python: `n = NetSpec(); n.conv = L.Convolution(n.data, num_output=8, kernel_size=3)`.

`L.Type(*bottoms, **params)` makes a layer of that type and gives its tops; `P.Pooling.MAX` is an enum's number.
A param is a field of the type's own message (`num_output` of convolution_param) or of LayerParameter (`param`,
`include`, `loss_weight`); `ntop` is how many tops there are (0 gives the Function itself), `in_place` writes the top
over the bottom. Types that compute after another type's message, as Deconvolution does, take that message whole:
`convolution_param=dict(...)`.

Source: pycaffe's net_spec.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.message import Message

from caffe_compat.prototxt import caffe_pb2
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, NetParameter
from caffe_compat.text import meant, nearest

Names = dict[Any, str]  # of Tops, and of Functions without tops


def param_name_dict() -> dict[str, str]:
    """Layer type -> name of its params without `_param`: {"Convolution": "convolution", "LRN": "lrn", ...}."""
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in LayerParameter.DESCRIPTOR.fields
        if field.name.endswith("_param") and field.message_type is not None
    }


_param_names = param_name_dict()


class Top:
    """One top of a layer: the `n`th of the Function `fn`."""

    def __init__(self, fn: Function, n: int):
        self.fn = fn
        self.n = n

    def to_proto(self) -> NetParameter:
        """The net of all layers that this top needs, with made-up names."""
        return to_proto(self)


class Function:
    """A layer: its type, its bottoms (Tops), its params and its `tops`. Raises TypeError where a bottom is no Top."""

    def __init__(self, type_name: str, inputs: Iterable[Top], params: dict[str, Any]):
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for i, bottom in enumerate(self.inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name} input {i} is not a Top (type is {type(bottom)})")
        self.params = dict(params)
        self.ntop = self.params.pop("ntop", 1)
        self.in_place = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))


class NetSpec:
    """Tops by name: `n.conv1 = L.Convolution(...)` or `n["conv1"] = ...`; all of them in `n.tops`, an OrderedDict."""

    tops: OrderedDict[str, Top | Function]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Top | Function) -> None:
        if not isinstance(value, (Top, Function)):
            raise TypeError(
                f"'{name}' is to be a top, or a layer without tops, and not {type(value)}; a layer of several tops "
                "gives them to several names"
            )
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__.get("tops", ()):
            return self.tops[name]
        raise AttributeError(f"no top '{name}' was given to this NetSpec")

    def __setitem__(self, name: str, value: Top | Function) -> None:
        setattr(self, name, value)

    def __getitem__(self, name: str) -> Any:
        return self.tops[name]

    def to_proto(self) -> NetParameter:
        """The net of all layers that the tops need; tops and layers without a name get one made up."""
        return _net(self.tops.values(), {top: name for name, top in self.tops.items()})


class Layers:
    """Gives for each name a function that makes a layer of this type: pycaffe's `L`."""

    def __getattr__(self, type_name: str) -> Callable[..., Any]:
        if type_name.startswith("__"):  # what copy, pickle and inspect look for
            raise AttributeError(type_name)

        def layer(*bottoms: Top, **params: Any) -> Any:
            function = Function(type_name, bottoms, params)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        layer.__name__ = type_name
        return layer


class Parameters:
    """Gives the numbers of enums, by message and value: pycaffe's `P`, as in `P.Pooling.MAX`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(caffe_pb2, name + "Parameter")


layers = Layers()
params = Parameters()


def to_proto(*tops: Top) -> NetParameter:
    """The net of all layers that these tops need, with made-up names (Convolution1, Convolution2, ...)."""
    return _net(tops, {})


def assign_proto(proto: Message, name: str, val: Any) -> None:
    """Set a field after a Python value: a dict sets a message's fields, a list (or tuple) adds to a repeated field.

    A repeated field takes one value for a list of one. Raises AttributeError for a field that the message lacks.
    """
    if name not in proto.DESCRIPTOR.fields_by_name:
        raise AttributeError(_no_field(name, proto))
    field = getattr(proto, name)
    if hasattr(field, "extend"):
        for item in val if isinstance(val, (list, tuple)) else [val]:
            if isinstance(item, dict):
                _assign_fields(field.add(), item)
            else:
                field.append(item)
    elif isinstance(val, dict):
        _assign_fields(field, val)
    else:
        setattr(proto, name, val)


def _assign_fields(proto: Message, values: dict[str, Any]) -> None:
    for name, value in values.items():
        assign_proto(proto, name, value)


def _net(tops: Iterable[Top | Function], names: Names) -> NetParameter:
    net, made, counts = NetParameter(), {}, Counter()  # type: ignore[var-annotated]

    def name_of(thing: Top | Function, type_name: str) -> str:
        if thing not in names:
            counts[type_name] += 1
            names[thing] = f"{type_name}{counts[type_name]}"
        return names[thing]

    for function in _in_order(tops):
        layer = net.layer.add(type=function.type_name)
        made[function] = layer
        layer.bottom.extend(made[bottom.fn].top[bottom.n] for bottom in function.inputs)
        if function.in_place:
            layer.top.extend(layer.bottom)
        else:
            layer.top.extend(name_of(top, function.type_name) for top in function.tops)
        layer.name = name_of(function.tops[0] if function.tops else function, function.type_name)
        _assign_params(layer, function)
    return net


def _in_order(tops: Iterable[Top | Function]) -> Iterator[Function]:
    """All layers that the tops need, each once and behind those it needs itself. No recursion: nets are deep."""
    done = set()
    for top in tops:
        waiting = [top.fn if isinstance(top, Top) else top]
        while waiting:
            function = waiting[-1]
            missing = [bottom.fn for bottom in function.inputs if bottom.fn not in done]
            if missing and function not in done:
                waiting.append(missing[0])
                continue
            waiting.pop()
            if function not in done:
                done.add(function)
                yield function


def _assign_params(layer: LayerParameter, function: Function) -> None:
    own = _param_names.get(function.type_name, "") + "_param"
    own_message = getattr(layer, own, None)
    for name, value in function.params.items():
        try:
            if own_message is not None and name in own_message.DESCRIPTOR.fields_by_name:
                assign_proto(own_message, name, value)
            elif name in layer.DESCRIPTOR.fields_by_name:
                assign_proto(layer, name, value)
            elif own_message is None:
                raise AttributeError(_meant_type(layer) or _no_field(name, layer))
            else:
                raise AttributeError(_no_field(name, own_message, layer))
        except (AttributeError, TypeError, ValueError) as error:
            raise type(error)(f"layer '{layer.name}' ({function.type_name}), {name}: {error}") from None


def _no_field(name: str, *messages: Message) -> str:
    fields = [field for message in messages for field in message.DESCRIPTOR.fields_by_name]
    near = nearest(name, fields)
    hint = f"; did you mean '{near}'?" if near else ""
    if isinstance(messages[0], LayerParameter):
        owners = [field.name for field in LayerParameter.DESCRIPTOR.fields if _has(field.message_type, name)]
        own = messages[0].type.lower()  # Deconvolution takes convolution_param
        owners = [one for one in owners if one.removesuffix("_param").replace("_", "") in own] or owners
        hint = f"; give it within {' or '.join(owners)}: dict({name}=...)" if 0 < len(owners) < 9 else hint
    return f"{' and '.join(m.DESCRIPTOR.name for m in messages)}: there is no field '{name}'{hint}"


def _meant_type(layer: LayerParameter) -> str | None:
    """What to say of a type that is a misspelling of one whose message is known."""
    near = None if layer.type in _param_names else meant(layer.type, _param_names)
    return near and f"there is no type '{layer.type}'; did you mean '{near}'?"


def _has(message_type: Any, name: str) -> bool:
    return message_type is not None and name in message_type.fields_by_name
