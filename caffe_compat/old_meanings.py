"""What Python 2 and numpy up to 1.11 took and today's refuse, where there is one thing that it can mean.

`old_python` puts these names into users' modules. Each warns, at the user's line, when it does something.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from functools import cache
from typing import Any

import numpy as np
from numba.extending import overload


def whole(value: Any) -> Any:
    """An index, or how many to choose: a float that is a whole number as the int that it was for numpy."""
    if isinstance(value, (float, np.floating)) and value.is_integer():
        _warn("a float as an index or size is the int that it equals, as for numpy up to 1.11")
        return int(value)
    return value


@overload(whole)
def _whole_when_compiled(value: Any) -> Any:
    return lambda value: value  # numba's users have never had floats there


ARRAY_AND_LIST = "an array is not [], as for numpy up to 1.24; ask for its size"


class _NoItems(list):
    """What `== []` compares with: an array is not equal to it, whatever its shape."""

    __array_ufunc__ = None  # arrays leave the answer to this
    __hash__ = None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, np.ndarray):
            _warn(ARRAY_AND_LIST)
        return isinstance(other, list) and not other

    def __ne__(self, other: object) -> bool:
        if isinstance(other, np.ndarray):
            _warn(ARRAY_AND_LIST)
            return other.shape[-1:] > (1,)  # where shapes could be broadcast, the answer had no items
        return not self == other


NO_ITEMS = _NoItems()


def dump(value: Any, file: Any, *args: Any, **named: Any) -> None:
    """pickle.dump, also into a file that was opened for text, which Python 2 took."""
    pickle.dump(value, _binary(file), *args, **named)


def load(file: Any, **named: Any) -> Any:
    """pickle.load, also of a file that was opened for text, and of what Python 2 wrote."""
    return pickle.load(_binary(file), **{"encoding": "latin1", **named})


def _binary(file: Any) -> Any:
    if not hasattr(file, "buffer"):
        return file
    _warn("a pickle in a file that is open for text goes to its bytes, as in Python 2", depth=3)
    return file.buffer


def _warn(what: str, depth: int = 2) -> None:
    """Tell the user, once for each line of theirs; depth: how many calls it is away."""
    frame = sys._getframe(depth)
    _warn_once(what, frame.f_code.co_filename, frame.f_lineno)


@cache
def _warn_once(what: str, file: str, line: int) -> None:
    warnings.warn_explicit(what, UserWarning, file, line)
