"""`import caffe` gives this package: for the whole process where it is asked for, else while Python layers run.

No package of the name caffe is installed, because others ask whether they can import it, and expect the original.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from caffe_compat.errors import CaffeCompatError


class _Alias(MetaPathFinder, Loader):
    """Finds `caffe` and `caffe.x` as the very modules `caffe_compat` and `caffe_compat.x`."""

    def __init__(self, hides_real: bool):
        self.hides_real = hides_real
        self.given: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "caffe":
            return ModuleSpec(fullname, self) if self.hides_real or not _real_caffe() else None
        ours = sys.modules.get("caffe") is sys.modules.get("caffe_compat")
        if fullname.startswith("caffe.") and ours and importlib.util.find_spec(_own_name(fullname)):
            return ModuleSpec(fullname, self)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(_own_name(spec.name))
        spec.loader_state = module.__spec__
        self.given.append(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state  # the import system has put the alias's in its place


def _own_name(name: str) -> str:
    return "caffe_compat" + name.removeprefix("caffe")


def _real_caffe() -> bool:
    spec = PathFinder.find_spec("caffe")
    if spec is None or spec.origin is None:  # a mere folder `caffe`, such as a checkout, has none
        return False
    halves = [name for name in os.listdir(os.path.dirname(spec.origin)) if name.startswith("_caffe.")]
    return halves != ["_caffe.cpp"]  # sources that nobody compiled cannot be imported


def install_as_caffe() -> None:
    """Let `import caffe` give this package from now on in this process, even where another Caffe is installed.

    `caffe.io`, `caffe.proto.caffe_pb2` and so on are the modules of caffe_compat themselves. Raises CaffeCompatError
    where another caffe has been imported already.
    """
    found = sys.modules.get("caffe")
    if found is not None and found is not sys.modules["caffe_compat"]:
        raise CaffeCompatError(
            f"another caffe is imported already, from {getattr(found, '__file__', None) or 'a folder'}; "
            "call install_as_caffe() before anything imports caffe"
        )
    if not any(isinstance(finder, _Alias) and finder.hides_real for finder in sys.meta_path):
        sys.meta_path.insert(0, _Alias(hides_real=True))
    importlib.import_module("caffe")


@contextmanager
def importable_as_caffe() -> Iterator[None]:
    """While this lasts, `import caffe` gives this package, unless there is a real Caffe to import."""
    alias = _Alias(hides_real=False)
    sys.meta_path.insert(0, alias)
    try:
        yield
    finally:
        sys.meta_path.remove(alias)
        for name in alias.given:
            sys.modules.pop(name, None)
