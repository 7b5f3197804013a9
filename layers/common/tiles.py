"""Where tiles lie on a map."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.layers.base import Layer


def corners(layer: Layer, rows: Sequence[int], columns: Sequence[int], count: int) -> list[tuple[int, int]]:
    """The row and column where each of `count` tiles starts. Raises LayerError for fewer ycoord (rows) or xcoord."""
    if min(len(rows), len(columns)) < count:
        raise layer.error(
            f"there are {len(columns)} xcoord and {len(rows)} ycoord; {count} tiles need one each"
        )
    return list(zip(rows, columns, strict=False))[:count]
