"""What an image is to pycaffe: pixels that OpenCV read as it has them, and errors about what is no image."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import numpy as np

_GREY = np.array([0.2125, 0.7154, 0.0721])  # red green blue, as skimage's rgb2gray weighs them


def unit_image(image: np.ndarray, color: bool = True) -> np.ndarray:
    """What `load_image` makes of the pixels that OpenCV read: height x width, or x channels with blue first."""
    if image.dtype in (np.uint8, np.uint16):
        image = np.divide(image, 2.0 ** (8 * image.itemsize) - 1, dtype=np.float64)
    image = image[:, :, None] if image.ndim == 2 else image[:, :, 2::-1]
    if color and image.shape[2] == 1:
        image = np.tile(image, (1, 1, 3))
    elif not color and image.shape[2] == 3:
        image = (image @ _GREY)[:, :, None]
    return image.astype(np.float32)


def check_image(image: np.ndarray, name: str, channels: int | None = None) -> None:
    """Raise ValueError for what is no image, height x width x channels, or has another number of channels.

    name: what the message calls it.
    """
    if isinstance(image, str | bytes | PathLike):
        raise ValueError(f"{name} is {image!r}, which is no array; load it with load_image")
    shape = np.shape(image)
    if len(shape) != 3 or not all(shape):
        hint = (
            "; a grey image is height x width x 1: load_image(file, color=False)" if len(shape) == 2 else ""
        )
        raise ValueError(f"{name} has the shape {shape}; expected height x width x channels{hint}")
    if channels is None or shape[2] == channels:
        return
    if shape[0] == channels:
        hint = "channels stand last in an image: image.transpose(1, 2, 0)"
    elif channels == 3 and shape[2] == 4:
        hint = "leave out its transparency: image[:, :, :3]"
    else:
        hint = {1: "load_image(file, color=False)", 3: "load_image(file, color=True)"}.get(
            channels, "give as many"
        )
    raise ValueError(
        f"{name} has {shape[2]} channel{'' if shape[2] == 1 else 's'}, the net's input {channels}: {hint}"
    )


def check_size(dims: Sequence[int] | np.ndarray, name: str) -> tuple[int, int]:
    """Height and width. Raises ValueError for what is none."""
    sizes = [int(size) for size in np.ravel(dims)]
    if len(sizes) != 2 or min(sizes) < 1:
        raise ValueError(f"{name} is {dims}; expected (height, width), both at least 1")
    return sizes[0], sizes[1]
