"""noise_param of transform_param: what SSD's data layers do to each image behind resizing."""

from __future__ import annotations

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.data.image_files import decode
from caffe_compat.prototxt.caffe_pb2 import NoiseParameter as Param
from caffe_compat.rng import Rng

BLUR, BLUR_SIGMA = (7, 7), 1.5
CLIP_LIMIT = 4  # of the local equalization
POSTERIZED = np.arange(256, dtype=np.uint8) // 64 * 64 + 32


class Noise:
    """Applies a noise_param, in the order of its fields in `image`. As in Caffe, `prob` changes nothing.

    Images are height x width x channels, uint8. Raises owner's error.
    Source: ApplyNoise of the SSD fork of Caffe, in which convert_to_lab leaves floats that are then read as bytes.
    """

    def __init__(self, owner: ErrorFactory, param: Param):
        self.owner, self.param = owner, param
        if param.convert_to_lab:
            raise owner.error("convert_to_lab gives no image in Caffe; remove it from noise_param")
        if param.saltpepper and not param.saltpepper_param.value:
            raise owner.error("saltpepper of noise_param needs values; add saltpepper_param { value: ... }")
        if param.saltpepper:
            self._check_salt()

    def _check_salt(self) -> None:
        param = self.param.saltpepper_param
        if not 0 <= param.fraction <= 1 or not all(0 <= value <= 255 for value in param.value):
            raise self.owner.error(
                f"saltpepper_param has fraction {param.fraction:g} and values {list(param.value)}; expected a fraction "
                "from 0 to 1, and values from 0 to 255"
            )

    def image(self, image: np.ndarray, rng: Rng) -> np.ndarray:
        """The changed image; rng draws where salt and pepper fall."""
        param, shape = self.param, image.shape
        if image.dtype != np.uint8:
            raise self.owner.error("noise_param is for images of bytes")
        if shape[2] != 3 and (shape[2] != 1 or param.decolorize or param.convert_to_hsv):
            raise self.owner.error(f"noise_param wants images of 3 channels, found {shape[2]}")
        if param.decolorize:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        if param.gauss_blur:
            image = cv2.GaussianBlur(image, BLUR, BLUR_SIGMA)
        if param.hist_eq:
            image = _on_brightness(image, cv2.equalizeHist)
        if param.clahe:
            image = _on_brightness(image, cv2.createCLAHE(clipLimit=CLIP_LIMIT).apply)
        if param.jpeg > 0:
            _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(min(param.jpeg, 100))])
            flag = cv2.IMREAD_COLOR if shape[2] == 3 else cv2.IMREAD_GRAYSCALE
            image = decode(self.owner, content.tobytes(), flag, "what noise_param stores")
        if param.erode:
            image = cv2.erode(image, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
        if param.posterize:
            image = POSTERIZED[image]
        if param.inverse:
            image = 255 - image
        image = image.reshape(shape)
        if param.saltpepper:
            image = self._salted(image.copy(), rng)
        return cv2.cvtColor(image, cv2.COLOR_BGR2HSV) if param.convert_to_hsv else image

    def _salted(self, image: np.ndarray, rng: Rng) -> np.ndarray:
        height, width, channels = image.shape
        values = list(self.param.saltpepper_param.value)
        if len(values) not in (1, channels):
            raise self.owner.error(
                f"saltpepper_param has {len(values)} values for {channels} channels; give one, or one a channel"
            )
        draws = np.empty((int(self.param.saltpepper_param.fraction * width * height), 2), np.uint32)
        rng.raw(draws)
        image[draws[:, 1] % height, draws[:, 0] % width] = np.array(values, int).astype(np.uint8)
        return image


def _on_brightness(image: np.ndarray, change) -> np.ndarray:
    """The image with its grey, or the Y of YCrCb, changed."""
    if image.ndim == 2 or image.shape[2] == 1:
        return change(image.reshape(image.shape[:2]))
    planes = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
    planes[:, :, 0] = change(np.ascontiguousarray(planes[:, :, 0]))
    return cv2.cvtColor(planes, cv2.COLOR_YCrCb2BGR)
