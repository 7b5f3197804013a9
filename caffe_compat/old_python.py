"""Modules of the Python 2 era: what has only changed its name since is put in today's words while a module is read.

Only modules of the user's own are looked at, and nothing is patched that others see.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import site
import sys
import sysconfig
import types
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader

import numpy

NAMES = {
    "xrange": "range", "unicode": "str", "basestring": "str", "long": "int", "unichr": "chr", "raw_input": "input",
    "reduce": "__import__('functools').reduce",
}  # fmt: skip
NUMPY = {
    "float": "float", "int": "int", "bool": "bool", "object": "object", "str": "str", "complex": "complex",
    "long": "int", "unicode": "str", "float_": "{}.float64", "Inf": "{}.inf", "Infinity": "{}.inf",
    "infty": "{}.inf", "NaN": "{}.nan", "product": "{}.prod", "cumproduct": "{}.cumprod", "sometrue": "{}.any",
    "alltrue": "{}.all",
}  # fmt: skip
METHODS = {"iteritems": "items", "iterkeys": "keys", "itervalues": "values"}
MODULES = {
    "cPickle": "pickle", "Queue": "queue", "ConfigParser": "configparser", "StringIO": "io", "cStringIO": "io",
    "__builtin__": "builtins",
}  # fmt: skip
LOADER = (
    "__import__('caffe_compat.layers.common.param_str', fromlist=['Loader']).Loader"  # safe, and knows tuples
)
INSTALLED = tuple(
    folder + os.sep
    for folder in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    )
)


def hint(error: SyntaxError) -> str:
    """What to do about a file that is no Python 3."""
    return f"is it Python 2 code? Convert it: 2to3 -w {error.filename} (2to3 comes with Python up to 3.12)"


def compile_file(path: str, package: str = "") -> types.CodeType:
    """The code of a module in today's words; a warning names the file and the lines that used old ones.

    package: the package that the module is in. Raises SyntaxError.
    """
    with open(path, "rb") as file:
        tree = ast.parse(file.read(), path)
    today = _Today(tree, os.path.dirname(path), package)
    tree = ast.fix_missing_locations(today.visit(tree))
    if today.changes:
        _warn(path, sorted(set(today.changes)))
    return compile(tree, path, "exec", dont_inherit=True)


def _warn(path: str, lines: list[tuple[int, str]]) -> None:
    said = "; ".join(f"line {line}: {what}" for line, what in lines[:8])
    more = f"; and {len(lines) - 8} more" if len(lines) > 8 else ""
    warnings.warn_explicit(
        f"written for Python 2 or an older library, runs in today's words: {said}{more}",
        UserWarning,
        path,
        lines[0][0],
    )


class _Today(ast.NodeTransformer):
    """Replaces the old words of a module, except those that the module defines itself."""

    def __init__(self, tree: ast.AST, folder: str, package: str):
        self.folder, self.package = folder, package
        self.changes: list[tuple[int, str]] = []
        self.bound = set(_bound(tree))
        imports = [name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
        self.numpy = {name.asname or name.name for name in imports if name.name == "numpy"}
        self.yaml = {name.asname or name.name for name in imports if name.name == "yaml"}

    def _replaced(self, node: ast.expr, text: str, said: str) -> ast.expr:
        self.changes.append((node.lineno, said))
        new = ast.parse(text, mode="eval").body
        for part in ast.walk(new):
            ast.copy_location(part, node)
        return new

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in NAMES and node.id not in self.bound:
            return self._replaced(node, NAMES[node.id], f"{node.id} as {NAMES[node.id].rpartition('.')[2]}")
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        module = _name(node.value)
        gone = module in self.numpy and node.attr in NUMPY and node.attr not in vars(numpy)
        if gone and isinstance(node.ctx, ast.Load):
            new = NUMPY[node.attr].format(module)
            return self._replaced(node, new, f"{module}.{node.attr} as {new}")
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        func = node.func
        if not isinstance(func, ast.Attribute) or func.attr in self.bound or node.keywords:
            return node
        if func.attr in METHODS and not node.args:
            self.changes.append((node.lineno, f".{func.attr}() as .{METHODS[func.attr]}()"))
            func.attr = METHODS[func.attr]
            return ast.copy_location(ast.Call(ast.Name("iter", ast.Load()), [node], []), node)
        if func.attr == "has_key" and len(node.args) == 1:
            self.changes.append((node.lineno, ".has_key() as in"))
            return ast.copy_location(ast.Compare(node.args[0], [ast.In()], [func.value]), node)
        if func.attr == "load" and _name(func.value) in self.yaml and len(node.args) == 1:
            loader = self._replaced(node, LOADER, "yaml.load() with a safe Loader")
            node.keywords.append(ast.keyword("Loader", loader))
        return node

    # ---- imports ----------------------------------------------------------------------------------------------
    def visit_Import(self, node: ast.Import) -> ast.stmt:
        for name in node.names:
            if name.name in MODULES:
                self.changes.append((node.lineno, f"module {name.name} as {MODULES[name.name]}"))
                name.name, name.asname = MODULES[name.name], name.asname or name.name
        if len(node.names) == 1 and self._is_sibling(node.names[0].name):
            self.changes.append((node.lineno, f"module {node.names[0].name} as .{node.names[0].name}"))
            return ast.copy_location(ast.ImportFrom(None, node.names, 1), node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        if node.level == 0 and node.module in MODULES:
            self.changes.append((node.lineno, f"module {node.module} as {MODULES[node.module]}"))
            node.module = MODULES[node.module]
        elif node.level == 0 and node.module and self._is_sibling(node.module):
            self.changes.append((node.lineno, f"module {node.module} as .{node.module}"))
            node.level = 1
        return node

    def _is_sibling(self, name: str) -> bool:
        """Whether a module is one beside this one in its package, which Python 2 found without a dot."""
        return (
            bool(self.package)
            and os.path.exists(os.path.join(self.folder, f"{name}.py"))
            and importlib.util.find_spec(name) is None
        )


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _bound(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


# ---- importing ------------------------------------------------------------------------------------------------


@contextmanager
def understood() -> Iterator[None]:
    """While this lasts, modules of the user's own that are imported may use old words."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in ("caffe", "caffe_compat"):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or _is_installed(spec.loader.path):
            return None
        spec.loader = _Loader(fullname, spec.loader.path)
        return spec


class _Loader(SourceFileLoader):
    def get_code(
        self, fullname: str
    ) -> types.CodeType:  # no .pyc: the next to import this may want the old words
        package = fullname if self.is_package(fullname) else fullname.rpartition(".")[0]
        return compile_file(self.path, package)


def _is_installed(path: str) -> bool:
    return os.path.abspath(path).startswith(INSTALLED)
