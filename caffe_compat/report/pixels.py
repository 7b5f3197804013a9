"""Pictures inside a page."""

from __future__ import annotations

from base64 import b64encode

import cv2
import numpy as np

QUALITY = 85


def jpeg(pixels: np.ndarray) -> str:
    """height x width x 3 uint8, BGR, as a JPEG in base64."""
    _, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return b64encode(content.tobytes()).decode()


def as_pixels(image: np.ndarray, pixel_means: np.ndarray) -> np.ndarray:
    """An image as a net takes it (3 x height x width, pixel_means subtracted) as height x width x 3 uint8, BGR."""
    pixels = image.transpose(1, 2, 0) + pixel_means
    return np.clip(np.nan_to_num(pixels), 0, 255).round().astype(np.uint8)
