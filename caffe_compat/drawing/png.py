"""A drawn net as PNG."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.drawing.picture import FONT
from caffe_compat.errors import CaffeCompatError

LETTER = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="16" style="{FONT}">M</text></svg>'


def png(svg: str) -> bytes:
    """The picture as a PNG file. Raises CaffeCompatError where resvg-py is not installed, or none of its fonts."""
    try:
        from resvg_py import svg_to_bytes
    except ImportError as error:
        raise CaffeCompatError(
            "a PNG needs resvg-py; pip install 'caffe-compat[png]', or draw an .svg"
        ) from error
    if not _has_ink(bytes(svg_to_bytes(svg_string=LETTER))):
        raise CaffeCompatError(
            "a PNG would have no letters: neither Helvetica nor Arial nor DejaVu Sans is installed "
            "(Debian: apt-get install fonts-dejavu-core); or draw an .svg"
        )
    return bytes(svg_to_bytes(svg_string=svg))


def _has_ink(picture: bytes) -> bool:
    pixels = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels is not None and bool(np.ptp(pixels))
