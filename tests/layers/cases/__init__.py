"""CASES: what the contract sweep and the gradient check run over every layer, a file a family.

Each param that changes what a layer computes has a case; test_fields.py asks for it.
"""

from importlib import import_module
from pkgutil import iter_modules

_FAMILIES = [import_module(f"{__name__}.{file.name}") for file in iter_modules(__path__)]
CASES = [case for family in _FAMILIES for case in getattr(family, "CASES", ())]

__all__ = ["CASES"]
