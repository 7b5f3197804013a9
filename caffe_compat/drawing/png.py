"""A drawn net as PNG."""

from __future__ import annotations

from caffe_compat.errors import CaffeCompatError


def png(svg: str) -> bytes:
    """The picture as a PNG file. Raises CaffeCompatError where resvg-py is not installed."""
    try:
        import resvg_py
    except ImportError as error:
        raise CaffeCompatError(
            "a PNG needs resvg-py; pip install 'caffe-compat[png]', or draw an .svg"
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))
