"""Sizes of windows over any number of spatial axes, as the fields of a param give them."""

from __future__ import annotations

from typing import Any

from caffe_compat.errors import ErrorFactory


def sizes(
    owner: ErrorFactory, param: Any, axes: int, field: str, prefix: str, default: int, least: int
) -> tuple[int, ...]:
    """A field that is given once, or once an axis, or over two axes as PREFIX_h and PREFIX_w ("": it has none).

    Raises owner's error for other counts, for both ways at once, and for a size below `least`.
    """
    given = tuple(getattr(param, field)) or (default,)
    if prefix and (param.HasField(f"{prefix}_h") or param.HasField(f"{prefix}_w")):
        if getattr(param, field):
            raise owner.error(f"{field} is given, and {prefix}_h or {prefix}_w too; remove one of them")
        if axes != 2:
            raise owner.error(
                f"{prefix}_h and {prefix}_w are for 2 spatial axes, the bottom has {axes}; give {field} instead"
            )
        given = getattr(param, f"{prefix}_h"), getattr(param, f"{prefix}_w")
    if len(given) not in (1, axes):
        raise owner.error(
            f"{field} is given {len(given)} times; give it once, or once for each of the {axes} spatial axes"
        )
    if axes and min(given) < least:
        raise owner.error(f"{field} is {' x '.join(map(str, given))}; it must be at least {least}")
    return given if len(given) == axes else given * axes
