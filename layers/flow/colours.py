"""How FlowNet2's DataAugmentation changes the colours of images, C x H W with C = 3, by their coefficients.

Source: the kernels of DataAugmentationLayer of lmb-freiburg/flownet2.
"""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.flow.coefficients import CONTRAST, EIGEN, Coefficients, differ
from caffe_compat.rng import caffe_rng

F = np.float32
LEAST = F(1e-2)  # what is smaller is taken for no colour at all


def change_colours(
    images: np.ndarray,
    original: np.ndarray,
    coefficients: list[Coefficients],
    eigvec: np.ndarray,
    most: np.float32,
) -> None:
    """Change the images, N x 3 x H x W, in place; where one of them needs a step, all go through it.

    original: N x 3 x H x W, the whole images, which say how colours spread. eigvec: 3 x 3, an axis of colours a row.
    most: the greatest value of a pixel.
    """
    if any(differ(c, EIGEN) for c in coefficients):
        space = Eigenspace(original, eigvec)
        for image, one in zip(images, coefficients, strict=True):
            image[...] = space.changed(image.reshape(3, -1), one, most).reshape(image.shape)
    if any(differ(c, CONTRAST) for c in coefficients):
        for image, one in zip(images, coefficients, strict=True):
            image[...] = with_contrast(image, one, most)
    if any(map(has_effects, coefficients)):
        for image, one in zip(images, coefficients, strict=True):
            image[...] = with_shadow(image, one, most)
        for image, one in zip(images, coefficients, strict=True):
            add_noise(image, one["noise"])


def has_effects(c: Coefficients) -> bool:
    """Whether they have one; fog and blur are none that the original draws, but it cuts off colours for them too."""
    fog = c["fog_amount"] != 0 and c["fog_size"] != 0
    return bool(fog or c["motion_blur_size"] > 0 or c["shadow_strength"] > 0 or c["noise"] > 0)


def with_contrast(image: np.ndarray, c: Coefficients, most: np.float32) -> np.ndarray:
    """The image, 3 x H x W, its colours weighed, the sum kept, from 0 to 1; then with another gamma, brightness and
    contrast."""
    factors = np.array([c["color1"], c["color2"], c["color3"]], F)[:, None, None]
    changed = image * factors
    changed = np.clip(changed * (image.sum(axis=0) / (changed.sum(axis=0) + F(0.01))), 0, 1)
    with np.errstate(divide="ignore"):
        changed = changed ** c["gamma"] + c["brightness"]
    return np.clip(F(0.5) + (changed - F(0.5)) * c["contrast"], 0, most)


def with_shadow(image: np.ndarray, c: Coefficients, most: np.float32) -> np.ndarray:
    """The image, 3 x H x W, darker behind a line, from 0 to `most`."""
    height, width = image.shape[1:]
    x, y = np.arange(width) - width // 2, np.arange(height)[:, None] - height // 2
    angle = c["shadow_angle"]
    behind = x * np.cos(angle) + y * np.sin(angle) - c["shadow_distance"] > 0
    return np.clip(image - behind * c["shadow_strength"], 0, most)


def add_noise(image: np.ndarray, deviation: np.float32) -> None:
    """Add normal numbers, one draw of the global stream or more an element."""
    if deviation > 0:
        noise = np.empty(image.shape, F)
        caffe_rng().gaussian(0, float(deviation), noise)
        image += noise


class Eigenspace:
    """Colours along three axes, of which the first is light, in parts of their greatest extent in a batch of images."""

    def __init__(self, images: np.ndarray, eigvec: np.ndarray):
        self.axes = eigvec
        pixels = images.transpose(1, 0, 2, 3).reshape(3, -1)
        self.mean = pixels.mean(axis=1, dtype=np.float64).astype(F)[:, None]
        self.extent = np.abs(eigvec @ pixels).max(axis=1, initial=0)[:, None]
        self.extends = self.extent > LEAST
        self.mean_along = self._in_parts(eigvec @ self.mean)
        self.longest = np.sqrt((self.extent**2).sum())

    def changed(self, image: np.ndarray, c: Coefficients, most: np.float32) -> np.ndarray:
        """The image, 3 x pixels, with these coefficients, from 0 to `most`."""
        with np.errstate(all="ignore"):
            along = self._in_parts(self.axes @ (image - self.mean))
            along = np.where(self.extends, _bent(along, c, "nomean", slice(3)), along) + self.mean_along
            if self.extends[0]:
                along[:1] = _bent(along[:1], c, "withmean", slice(1))
            along = self._with_saturation(along, c)
        return np.clip(self.axes.T @ along, 0, most)

    def _in_parts(self, along: np.ndarray) -> np.ndarray:
        return along / np.where(self.extends, self.extent, F(1))

    def _with_saturation(self, along: np.ndarray, c: Coefficients) -> np.ndarray:
        """Other saturation, a turn of colours, and another length; back from parts to what they are of."""
        saturation = _length(along[1:])
        has_colour = saturation > LEAST
        bent = np.maximum(saturation ** c["pow_withmean1"] + c["add_withmean1"], 0) * c["mult_withmean1"]
        if c["col_angle"]:
            cos, sin = np.cos(c["col_angle"]), np.sin(c["col_angle"])
            along[1:] = np.array([[cos, -sin], [sin, cos]], F) @ along[1:]
        along = np.where(self.extends, along * self.extent, along)
        length = _length(along) / self.longest
        along[1:] = np.where(has_colour, along[1:] / saturation * bent, along[1:])
        if self.longest <= LEAST:
            return along
        wanted = np.maximum(length ** c["lmult_pow"] + c["lmult_add"], 0) * c["lmult_mult"] * self.longest
        now = _length(along)
        return np.where(now > LEAST, np.minimum(along / now * wanted, self.extent), along)


def _bent(along: np.ndarray, c: Coefficients, mean: str, axes: slice) -> np.ndarray:
    """To a power with the sign kept, moved, multiplied: each axis by its own coefficients."""
    power, add, mult = (
        np.array([c[f"{how}_{mean}{i}"] for i in range(3)[axes]], F)[:, None]
        for how in ("pow", "add", "mult")
    )
    return (np.copysign(np.abs(along) ** power, along) + add) * mult


def _length(along: np.ndarray) -> np.ndarray:
    return np.sqrt((along * along).sum(axis=0))
