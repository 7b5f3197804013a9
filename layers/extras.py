"""Packages that only some layers need, and only some users install."""

from __future__ import annotations

import importlib
from typing import Any

from caffe_compat.errors import Blamed


def import_extra(owner: Blamed, module: str, extra: str) -> Any:
    """Return the module. Raises owner's error that names the extra to install where it is not there."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise owner.error(f"this needs {module}: pip install 'caffe-compat[{extra}]'") from error
