"""What is known of each layer type: whose it is, what it reads of the prototxt, gradients, kernels.

`caffe-compat layers` and docs/layers.md print these. Nothing is written down twice: most are attributes that the net
itself goes by, and the contract sweep proves them. What a layer reads is found in its source: the messages are the
`layer_param.NAME_param` in its module, in the modules of its base classes, and in the helpers that they import, and
all fields of a message count as honoured but those that the class names in `without_effect` or `refused`. So a
layer that forgets a field claims it, and tests/layers/test_fields.py catches that: a field that counts as honoured
has to change what some case computes, one without effect must change nothing, a refused one must be an error.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from caffe_compat.layers.base import Layer
from caffe_compat.layers.python import BUILT_IN
from caffe_compat.layers.registry import layer_class, layer_type_list
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

PACKAGE = "caffe_compat.layers"
KERNELS = f"{PACKAGE}.kernels."
NO_HELPERS = (f"{PACKAGE}.base", f"{PACKAGE}.registry", f"{PACKAGE}.python")
MESSAGES = {
    field.name: field.message_type
    for field in LayerParameter.DESCRIPTOR.fields
    if field.message_type and field.name.endswith("_param")
}


@dataclass(frozen=True)
class LayerFacts:
    """type: as in a prototxt; of Python layers that are built in, `Python: CLASS`. origin: whose Caffe.

    params: the fields that are honoured, of each message. without_effect and refused (an error): the other fields,
    as `message.field`.
    backward: whether there is one. no_gradient: bottoms that it gives none. kernels: modules of layers/kernels.
    """

    type: str
    origin: str
    params: dict[str, list[str]]
    without_effect: list[str]
    refused: list[str]
    backward: bool
    no_gradient: list[int]
    in_place: bool
    kernels: list[str]

    @property
    def gradients(self) -> str:
        """`backward` and `no_gradient` in words."""
        if not self.backward:
            return "no"
        return f"yes, not to bottom {', '.join(map(str, self.no_gradient))}" if self.no_gradient else "yes"


def all_facts() -> list[LayerFacts]:
    """Of all layer types, sorted; then of the Python layers that are built in."""
    types = [facts(layer_class(name), name) for name in layer_type_list()]
    built_in = [
        facts(cls, f"Python: {layer}", {"python_param": ["module", "layer", "param_str"]})
        for (_, layer), cls in BUILT_IN.items()
    ]
    return types + built_in


def facts(cls: type[Layer], name: str, params: dict[str, list[str]] | None = None) -> LayerFacts:
    """Of one class. params: what it reads, where it is known otherwise."""
    unused: list[str] = []
    refused: list[str] = []
    if params is None:
        params = {}
        for message in messages(cls):
            for field in (field.name for field in MESSAGES[message].fields):
                names = {message, f"{message}.{field}"}
                if names & set(cls.refused):
                    refused.append(f"{message}.{field}")
                elif field == "engine" or names & set(cls.without_effect):  # there is only one engine
                    unused.append(f"{message}.{field}")
                else:
                    params.setdefault(message, []).append(field)
    return LayerFacts(
        name,
        cls.origin,
        params,
        unused,
        refused,
        cls.has_backward,
        list(cls.no_gradient),
        cls.in_place,
        kernels(cls),
    )


def messages(cls: type[Layer]) -> list[str]:
    """The messages of LayerParameter that the class reads, in their order there."""
    read = {
        node.attr
        for module in _modules(cls)
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Attribute) and _name(node.value) == "layer_param"
    }
    return [name for name in MESSAGES if name in read]


def kernels(cls: type[Layer]) -> list[str]:
    """The modules of layers/kernels that the class and its helpers import, sorted."""
    found = {name for module in _modules(cls) for name in _imported(module) if name.startswith(KERNELS)}
    return sorted(name.removeprefix(KERNELS) for name in found)


def _name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


@cache
def _tree(module: str) -> ast.Module:
    file = sys.modules[module].__file__
    assert file is not None
    with open(file, encoding="utf-8") as source:
        return ast.parse(source.read())


def _modules(cls: type[Layer]) -> list[str]:
    """The modules of the class and of its bases, and the helpers that they import, and so on; no other layers."""
    own = [base.__module__ for base in cls.__mro__ if base.__module__.startswith(PACKAGE)]
    found = [module for module in dict.fromkeys(own) if module != f"{PACKAGE}.base"]
    for module in found:  # grows
        helpers = (name for name in _imported(module) if name.startswith(PACKAGE))
        found += [name for name in helpers if name not in found and _is_helper(name)]
    return found


def _is_helper(module: str) -> bool:
    return (
        module not in NO_HELPERS and not module.startswith(KERNELS) and not _has_layers(sys.modules[module])
    )


def _has_layers(module: ModuleType) -> bool:
    return any(
        isinstance(value, type) and issubclass(value, Layer) and value.__module__ == module.__name__
        for value in vars(module).values()
    )


@cache
def _imported(module: str) -> list[str]:
    """The modules that a module imports at its top."""
    return list(dict.fromkeys(_imports(module)))


def _imports(module: str) -> Iterator[str]:
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                is_module = isinstance(getattr(importlib.import_module(node.module), alias.name), ModuleType)
                yield name if is_module else node.module
