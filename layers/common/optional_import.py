"""Packages that only some layers and files need, and only some users install."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from caffe_compat.errors import CaffeCompatError


def optional_import(error: Callable[[str], CaffeCompatError], module: str, extra: str) -> Any:
    """Return the module. Where it is not there, raises what `error` makes of a message that names the extra."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        raise error(f"this needs {module}: pip install 'caffe-compat[{extra}]'") from missing
