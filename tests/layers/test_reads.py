"""Each layer type says in `reads` what its source reads of the prototxt, no less and no more.

The source is the class's module, the modules of its base classes, and the helpers that they import; what it reads is
each `layer_param.NAME_param` there.
"""

import ast
import importlib
import sys
from functools import cache
from types import ModuleType

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.facts import MESSAGES
from caffe_compat.layers.registry import layer_class, layer_type_list

PACKAGE = "caffe_compat.layers"
KERNELS = f"{PACKAGE}.kernels."
NO_HELPERS = tuple(f"{PACKAGE}.{name}" for name in ("base", "python", "registry"))
PYTHON = ("python_param",)  # Layer itself reads it, and the type Python alone is described by it


def test_a_layer_says_what_it_reads():
    classes = {name: layer_class(name) for name in layer_type_list()}
    said = {name: cls.reads for name, cls in classes.items()}
    assert said == {name: PYTHON if name == "Python" else messages(cls) for name, cls in classes.items()}


def messages(cls):
    """The messages of LayerParameter that the class reads, in their order there."""
    read = set().union(*map(names_read, modules(cls)))
    return tuple(name for name in MESSAGES if name in read)


@cache
def names_read(module):
    """NAME of each `layer_param.NAME` in a module."""
    attributes = (node for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute))
    return {node.attr for node in attributes if last_name(node.value) == "layer_param"}


def last_name(node):
    return getattr(node, "attr", getattr(node, "id", ""))


@cache
def tree(module):
    with open(sys.modules[module].__file__, encoding="utf-8") as source:
        return ast.parse(source.read())


def modules(cls):
    """The modules of the class and of its bases, and the helpers that they import, and so on; no other layers."""
    own = [base.__module__ for base in cls.__mro__ if base.__module__.startswith(PACKAGE)]
    found = [module for module in dict.fromkeys(own) if module != f"{PACKAGE}.base"]
    for module in found:  # grows
        found += [name for name in imported(module) if name not in found and is_helper(name)]
    return found


def is_helper(module):
    if not module.startswith(PACKAGE) or module.startswith(KERNELS) or module in NO_HELPERS:
        return False
    return not any(
        isinstance(value, type) and issubclass(value, Layer) and value.__module__ == module
        for value in vars(sys.modules[module]).values()
    )


@cache
def imported(module):
    """The modules that a module imports at its top."""
    return list(dict.fromkeys(imports(module)))


def imports(module):
    for node in tree(module).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                is_module = isinstance(getattr(importlib.import_module(node.module), alias.name), ModuleType)
                yield f"{node.module}.{alias.name}" if is_module else node.module
