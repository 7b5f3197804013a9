"""Packages that only some layers need, and only some users install."""

from __future__ import annotations

import importlib
from typing import Any

from caffe_compat.layers.base import Layer


def import_extra(layer: Layer, module: str, extra: str) -> Any:
    """Return the module. Raises LayerError that names the extra to install where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise layer.error(f"this layer needs {module}: pip install 'caffe-compat[{extra}]'") from error
