"""What a layer class reads of the prototxt and which kernels it uses, found in its source.

The messages are the `layer_param.NAME_param` in its module, in the modules of its base classes, and in the helpers that
they import.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from functools import cache
from types import ModuleType

from caffe_compat.layers.base import Layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

PACKAGE = "caffe_compat.layers"
KERNELS = f"{PACKAGE}.kernels."
NO_HELPERS = tuple(f"{PACKAGE}.{name}" for name in ("base", "python", "registry", "common.sources"))
MESSAGES = {
    field.name: field.message_type
    for field in LayerParameter.DESCRIPTOR.fields
    if field.message_type and field.name.endswith("_param")
}


def not_read(layer_param: LayerParameter, cls: type[Layer]) -> list[str]:
    """The messages that a LayerParameter has though the class does not read them; none for a user's own class."""
    if not cls.__module__.startswith(PACKAGE):
        return []
    given = [field.name for field, _ in layer_param.ListFields() if field.name in MESSAGES]
    read = {"python_param", *messages(cls)}  # Layer itself reads python_param
    return [name for name in given if name not in read]


def messages(cls: type[Layer]) -> list[str]:
    """The messages of LayerParameter that the class reads, in their order there."""
    read = frozenset().union(*map(_read, _modules(cls)))
    return [name for name in MESSAGES if name in read]


def kernels(cls: type[Layer]) -> list[str]:
    """The modules of layers/kernels that the class and its helpers import, sorted."""
    found = {name for module in _modules(cls) for name in _imported(module) if name.startswith(KERNELS)}
    return sorted(name.removeprefix(KERNELS) for name in found)


def _name(node: ast.AST) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))


@cache
def _read(module: str) -> frozenset[str]:
    """NAME of each `layer_param.NAME` in a module."""
    return frozenset(
        node.attr
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Attribute) and _name(node.value) == "layer_param"
    )


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
