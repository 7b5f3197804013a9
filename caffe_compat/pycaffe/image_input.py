"""Images into the first input of a net: what Classifier, Detector and the command `classify` share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.net import Net
from caffe_compat.pycaffe import io
from caffe_compat.pycaffe.pixels import check_image


def predict(
    net: Net,
    transformer: io.Transformer,
    images: Sequence[np.ndarray],
    image_dims: Sequence[int] | np.ndarray,
    crop_dims: Sequence[int] | np.ndarray,
    output: str,
    oversample: bool,
) -> np.ndarray:
    """What a net answers in its blob `output` to images for its first input; `Classifier.predict` says all else."""
    name = net.inputs[0]
    check_images(images, net.blobs[name].shape)
    if (np.asarray(image_dims) < crop_dims).any():
        raise ValueError(
            f"images are resized to {_size(image_dims)} (image_dims), which is smaller than the net's input of "
            f"{_size(crop_dims)}; give image_dims of at least that, or none"
        )
    resized = np.stack([io.resize_image(image, image_dims) for image in images])
    if oversample:
        crops = io.oversample(resized, crop_dims)
    else:
        (y, x), (height, width) = ((np.array(image_dims) - crop_dims) / 2).astype(int), crop_dims
        crops = resized[:, y : y + height, x : x + width]
    data = np.stack([transformer.preprocess(name, crop) for crop in crops])
    scores = net.forward_all([output], **{name: data})[output]
    return scores.reshape(len(images), 10, -1).mean(1) if oversample else scores


def check_image_input(net: Net) -> None:
    """Raise ValueError for a net whose first input takes no images."""
    if not net.inputs or len(net.blobs[net.inputs[0]].shape) != 4:
        told = ", ".join(f"{name} {net.blobs[name].shape}" for name in net.inputs) or "none"
        raise ValueError(
            f"the net's first input is to take images, N x channels x height x width; its inputs are {told}: use the "
            "deploy.prototxt"
        )


def check_images(images: Sequence[np.ndarray], shape: Sequence[int]) -> None:
    """Raise ValueError for what is no list of images for an input of this shape, N x channels x height x width."""
    if not hasattr(images, "__len__") or isinstance(images, str | bytes):
        raise ValueError(f"a list of images is expected, not {images!r}; load files with load_image")
    if isinstance(images, np.ndarray) and images.ndim != 4:
        one = " x ".join(map(str, images.shape))
        raise ValueError(
            f"a list of images is expected, height x width x channels each, and this is an array of {one}; give one "
            "image as [image]"
        )
    if not len(images):
        raise ValueError("there are no images in the list")
    for i, image in enumerate(images):
        check_image(image, f"image {i}", shape[1])


def _size(dims: Sequence[int] | np.ndarray) -> str:
    return " x ".join(str(int(side)) for side in dims)


def image_transformer(
    net: Net,
    mean: np.ndarray | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> io.Transformer:
    """Of images to the first input of a net."""
    name = net.inputs[0]
    transformer = io.Transformer({name: net.blobs[name].shape})
    transformer.set_transpose(name, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(name, mean)
    if input_scale is not None:
        transformer.set_input_scale(name, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(name, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(name, channel_swap)
    return transformer
