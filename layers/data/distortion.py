"""distort_param of transform_param: colours changed at random, as AnnotatedData does before all else."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.prototxt.caffe_pb2 import DistortionParameter as Param
from caffe_compat.rng import Rng


def check_distortion(owner: ErrorFactory, param: Param) -> None:
    """Raise owner's error where a range is none."""
    for name in ("contrast", "saturation"):
        low, high = getattr(param, f"{name}_lower"), getattr(param, f"{name}_upper")
        if getattr(param, f"{name}_prob") > 0 and not 0 <= low <= high:
            raise owner.error(
                f"{name} goes from {low:g} to {high:g}; expected at least 0, from lower to upper"
            )
    for name in ("brightness", "hue"):
        if getattr(param, f"{name}_prob") > 0 and getattr(param, f"{name}_delta") < 0:
            raise owner.error(f"{name}_delta is {getattr(param, f'{name}_delta'):g}; expected at least 0")


def distorted(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    """A BGR image (height x width x 3, uint8) with other brightness, contrast, saturation, hue, order of channels.

    Each has its own prob; contrast comes second or, every second time, fourth.
    Source: ApplyDistort of the SSD fork of Caffe, which shuffles channels by C's rand() where this draws from rng.
    """
    early = rng.number(0, 1) > 0.5
    steps = [_brightness, _saturation, _hue]
    steps.insert(1 if early else 3, _contrast)
    for step in steps:
        image = step(image, param, rng)
    if rng.number(0, 1) < np.float32(param.random_order_prob):
        order = np.arange(3)
        for i in (1, 2):
            j = rng.draw() % (i + 1)
            order[[i, j]] = order[[j, i]]
        image = np.ascontiguousarray(image[:, :, order])
    return image


def _brightness(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.brightness_prob):
        return image
    delta = rng.number(-param.brightness_delta, param.brightness_delta)
    return _line(1, delta)[image]


def _contrast(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.contrast_prob):
        return image
    factor = rng.number(param.contrast_lower, param.contrast_upper)
    return _line(factor, 0)[image] if abs(factor - 1) > 1e-3 else image


def _saturation(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.saturation_prob):
        return image
    factor = rng.number(param.saturation_lower, param.saturation_upper)
    return _in_hsv(image, 1, _line(factor, 0))


def _hue(image: np.ndarray, param: Param, rng: Rng) -> np.ndarray:
    if not rng.number(0, 1) < np.float32(param.hue_prob):
        return image
    delta = rng.number(-param.hue_delta, param.hue_delta)
    return _in_hsv(image, 0, _line(1, delta)) if delta else image


def _line(factor: float | np.float32, offset: float | np.float32) -> np.ndarray:
    """What each byte becomes when it is multiplied and moved, as a table."""
    values = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _in_hsv(image: np.ndarray, channel: int, table: np.ndarray) -> np.ndarray:
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    planes[:, :, channel] = table[planes[:, :, channel]]
    return cv2.cvtColor(planes, cv2.COLOR_HSV2BGR)
