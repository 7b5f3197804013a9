"""What commands share that feed photos to nets of one image: --mean, --scale and --swap, in use and in words."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from caffe_compat.errors import CaffeCompatError, DataError

if TYPE_CHECKING:
    from caffe_compat.fast_rcnn.single_shot import Preprocessing, SingleShotDetector
    from caffe_compat.net import Net
    from caffe_compat.pycaffe.io import Transformer

OPTIONS = ("mean", "scale", "swap")  # of options.add_preprocessing
BLUE_FIRST = (2, 1, 0)
WHITE = 255.0  # what a pixel of 1 is to the net, before --mean and --scale


def check_options(args: argparse.Namespace) -> None:
    """Raise CaffeCompatError for --mean, --scale or --swap without --photo."""
    for name in OPTIONS:
        if getattr(args, name) is not None and not args.photo:
            raise CaffeCompatError(f"--{name} goes with --photo")


class PhotoInput:
    """Makes photos the input `name` of a net, the only one that it has; `told` says how, in a line.

    Nets of SSD and YOLO get them as `detect` gives them, others as pycaffe's Classifier does, stretched to the input.
    Raises DataError for nets with other inputs, and for what does not fit them.
    """

    def __init__(self, args: argparse.Namespace, net: Net):
        from caffe_compat.fast_rcnn.single_shot import SingleShotDetector, detection_layer

        self.name, self._shape = image_input(net)
        self._detector: SingleShotDetector | None = None
        if detection_layer(net) is not None:
            preprocessing, whose = preprocessing_of(args, net)
            self._detector = SingleShotDetector(net, preprocessing)
            self.told = detector_told(self._detector, whose)
        else:
            self._transformer = transformer(args, self.name, self._shape)
            self.told = transformer_told(args, self._shape, f"stretched to {size_told(self._shape[2:])}")

    def read(self, paths: Sequence[str]) -> np.ndarray:
        """Photos as N x channels x height x width float32. Raises DataError where one cannot be read."""
        return np.stack([self._read(path) for path in paths])

    def _read(self, path: str) -> np.ndarray:
        from caffe_compat.fast_rcnn.images import read_photo

        if self._detector is not None:
            return self._detector.input(read_photo(path))[0]
        return self._transformer.preprocess(self.name, load(path, self._shape[1]))


def image_input(net: Net) -> tuple[str, tuple[int, ...]]:
    """The name and shape of the one input of a net, N x 1 or 3 x height x width. Raises DataError for another net."""
    from caffe_compat.fast_rcnn.feed import input_names
    from caffe_compat.text import dims

    shapes = {name: net.blobs[name].shape for name in input_names(net)}
    for name, shape in shapes.items():
        if len(shapes) == 1 and len(shape) == 4 and shape[1] in (1, 3) and min(shape) > 0:
            return name, shape
    told = ", ".join(f"{name} {dims(shape)}" for name, shape in shapes.items()) or "none"
    raise DataError(
        f"a photo goes to a net with one input, N x 3 x H x W or N x 1 x H x W; this one's inputs are {told}: use the "
        "deploy.prototxt, or give arrays with --inputs"
    )


def load(path: str, channels: int) -> np.ndarray:
    """A photo as pycaffe's load_image gives it, but upright where EXIF says so: height x width x channels in [0, 1].

    Raises DataError where it cannot be read.
    """
    from caffe_compat.fast_rcnn.images import read_photo
    from caffe_compat.pycaffe.pixels import unit_image

    return unit_image(read_photo(path), color=channels == 3)


def transformer(args: argparse.Namespace, name: str, shape: tuple[int, ...]) -> Transformer:
    """pycaffe's Transformer for an input, as the arguments say. Raises DataError for a mean that does not fit."""
    from caffe_compat.pycaffe.io import Transformer

    result = Transformer({name: shape})
    result.set_transpose(name, (2, 0, 1))
    result.set_raw_scale(name, WHITE)
    if shape[1] == 3:
        result.set_channel_swap(name, args.swap or BLUE_FIRST)
    elif args.swap:
        raise DataError(f"--swap is for three channels, and input '{name}' has one")
    if args.mean is not None:
        mean = read_mean(args.mean)
        if mean.size == 1:
            mean = np.full(shape[1], mean.item(), np.float32)
        if len(mean) != shape[1]:
            raise DataError(f"--mean {args.mean} has {len(mean)} channels, input '{name}' {shape[1]}")
        result.set_mean(name, mean)
    if args.scale is not None:
        result.set_input_scale(name, args.scale)
    return result


def preprocessing_of(args: argparse.Namespace, net: Net) -> tuple[Preprocessing, str]:
    """How an SSD or YOLO net gets its photos, and whose way that is, in words: the usual one but for what is given."""
    from caffe_compat.fast_rcnn.single_shot import usual_preprocessing

    usual, whose = usual_preprocessing(net)
    given = {name: getattr(args, name) for name in OPTIONS if getattr(args, name) is not None}
    if "mean" in given:
        given["mean"] = read_mean(args.mean)
    rest = "the rest " if given else ""
    whose = "as given" if {"mean", "scale"} <= set(given) else f"{rest}as {whose}"
    return replace(usual, **given, letterbox=getattr(args, "letterbox", False)), whose


def read_mean(text: str) -> np.ndarray:
    """The mean that --mean gives: numbers (float32, one axis), or the array of a .npy or .binaryproto file.

    Raises DataError for a file that cannot be read, and for what is neither.
    """
    from caffe_compat.tools.image_mean import read_mean as read_file

    words = text.split(",")
    try:
        return np.array([float(word) for word in words], np.float32)
    except ValueError:
        if len(words) > 1 and not os.path.exists(text):
            raise DataError(
                f"--mean is '{text}'; expected one number, numbers with commas, or a file"
            ) from None
    return read_file(text)


# ---- in words -------------------------------------------------------------------------------------------------


def detector_told(detector: SingleShotDetector, whose: str) -> str:
    """How an SSD or YOLO net gets its photos, in a line."""
    used, size = detector.preprocessing, detector.resizing.param
    fitted = "letterboxed" if used.letterbox else "stretched"
    parts = [
        f"{fitted} to {size.width} x {size.height}",
        channels_told(detector.channels, used.swap),
        f"minus {mean_told(used.mean)}",
        f"times {used.scale:.6g}",
    ]
    return f"photos: {', '.join(parts)}, {whose} (--mean, --scale, --swap)"


def transformer_told(args: argparse.Namespace, shape: tuple[int, ...], resized: str) -> str:
    """How another net gets its photos, in a line."""
    parts = [resized, channels_told(shape[1], args.swap or BLUE_FIRST)]
    parts.append("no mean" if args.mean is None else f"minus {mean_told(read_mean(args.mean))}")
    parts.append(f"times {1 if args.scale is None else args.scale:.6g}")
    return f"photos: {', '.join(parts)} (--mean, --scale, --swap)"


def size_told(dims: Sequence[int]) -> str:
    """A size in words, width x height."""
    return f"{dims[1]} x {dims[0]}"


def channels_told(channels: int, swap: Sequence[int]) -> str:
    """The order of an input's channels, in words."""
    return "grey" if channels == 1 else "".join("RGB"[i] for i in swap)


def mean_told(mean: np.ndarray) -> str:
    """A mean in words."""
    if mean.ndim == 1:
        return " ".join(f"{value:g}" for value in mean)
    return f"a mean image of {size_told(mean.shape[1:])}"
