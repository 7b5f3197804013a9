"""Detector: a net that classifies windows of images, as R-CNN does. pycaffe's caffe.Detector."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np

from caffe_compat.layers.base import TEST
from caffe_compat.net import Net
from caffe_compat.pycaffe import io
from caffe_compat.pycaffe.image_input import check_image_input, image_transformer


class Detector(Net):
    """A net of one image input, with the `transformer` (io.Transformer) that makes windows its input.

    mean, input_scale, raw_scale, channel_swap: as Transformer's `set_` methods take them.
    context_pad: how many pixels around the window, counted in the input, are to show what is around it.
    Source: pycaffe's Detector; Girshick et al., Rich feature hierarchies (CVPR 2014), appendix A.
    """

    def __init__(
        self,
        model_file: str | PathLike[str],
        pretrained_file: str | PathLike[str] | None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ):
        super().__init__(model_file, TEST, weights=pretrained_file)
        check_image_input(self)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str | PathLike[str], Iterable[Sequence[float]]]]
    ) -> list[dict[str, Any]]:
        """Classify windows (ymin, xmin, ymax, xmax) of image files.

        Returns one dict a window, in their order: `filename`, `window`, and `prediction`, the net's first output.
        Raises ValueError, which names the file, for a window that is none, or is not in the image.
        """
        found, inputs = [], []
        name = self.inputs[0]
        for filename, windows in images_windows:
            image = io.load_image(filename, color=self.blobs[name].channels != 1)
            for window in windows:
                _check_window(window, image, filename)
                inputs.append(self.transformer.preprocess(name, self.crop(image, window)))
                found.append({"window": window, "prediction": None, "filename": filename})
        if found:
            predictions = self.forward_all(None, **{name: np.stack(inputs)})[self.outputs[0]]
            for detection, prediction in zip(found, predictions, strict=True):
                detection["prediction"] = prediction
        return found

    def detect_selective_search(self, image_fnames: Sequence[str | PathLike[str]]) -> list[dict[str, Any]]:
        """Like `detect_windows`, with the windows of selective search (OpenCV's, where pycaffe called MATLAB's).

        The file names in what it returns are absolute.
        """
        from caffe_compat.fast_rcnn.proposals import propose

        paths = [os.path.abspath(name) for name in image_fnames]
        photos = (np.round(io.load_image(path)[:, :, ::-1] * 255).astype(np.uint8) for path in paths)
        windows = (propose(photo)[:, [1, 0, 3, 2]].astype(int) for photo in photos)
        return self.detect_windows(zip(paths, windows, strict=True))

    def crop(self, im: np.ndarray, window: Sequence[float]) -> np.ndarray:
        """The window (ymin, xmin, ymax, xmax; the last row and column left out) of an image, height x width x channels.

        With context_pad it has the input's size already, and the mean where the context leaves the image. Halves are
        rounded up there, as Python 2 did.
        """
        y1, x1, y2, x2 = (int(side) for side in window)
        if not self.context_pad:
            return im[y1:y2, x1:x2]
        size = self.blobs[self.inputs[0]].width  # of a square
        result = np.ones(self.crop_dims, np.float32) * self.crop_mean
        rows, into_rows = self._context(y1, y2, im.shape[0], size)
        columns, into_columns = self._context(x1, x2, im.shape[1], size)
        dims = into_rows.stop - into_rows.start, into_columns.stop - into_columns.start
        result[into_rows, into_columns] = io.resize_image(im[rows, columns], dims)
        return result

    def _context(self, low: float, high: float, length: int, size: int) -> tuple[slice, slice]:
        """Along one axis: what to cut of an image of this length, and where it goes in the crop."""
        half = (high - low + 1) / 2
        reach = half * size / (size - 2 * (self.context_pad or 0))
        start, end = (float(np.round(low + half + sign * reach)) for sign in (-1, 1))
        scale = size / (end - start + 1)
        before = _round(max(0, -start) * scale)
        start, end = (min(max(side, 0), length) for side in (start, end))
        count = min(_round((end - start + 1) * scale), size - before)
        return slice(int(start), int(end)), slice(before, before + count)

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how much context crops have, and `crop_mean`, what stands for it outside of the image."""
        name, transformer = self.inputs[0], self.transformer
        back = np.argsort(transformer.transpose[name])
        self.crop_dims = np.array(self.blobs[name].shape[1:])[back]
        self.context_pad = context_pad
        if not context_pad:
            return
        height, width = self.blobs[name].shape[2:]
        if height != width or not 0 < 2 * context_pad < width:
            raise ValueError(
                f"context_pad is {context_pad} and the net's input {height} x {width}; expected a square, more than "
                "twice as wide"
            )
        mean = transformer.mean.get(name)
        if mean is None:
            self.crop_mean = np.zeros(self.crop_dims, np.float32)
            return
        self.crop_mean = mean.transpose(back)
        if name in transformer.channel_swap:
            self.crop_mean = self.crop_mean[:, :, np.argsort(transformer.channel_swap[name])]
        if name in transformer.raw_scale:
            self.crop_mean = self.crop_mean / transformer.raw_scale[name]


def _check_window(window: Sequence[float], image: np.ndarray, filename: str | PathLike[str]) -> None:
    height, width = image.shape[:2]
    if np.shape(window) != (4,):
        raise ValueError(
            f"{filename}: {window} is no window; expected a list of (ymin, xmin, ymax, xmax) for each image"
        )
    y1, x1, y2, x2 = (int(side) for side in window)
    if not (0 <= y1 < min(y2, height) and 0 <= x1 < min(x2, width)):
        raise ValueError(
            f"{filename}: the window {(y1, x1, y2, x2)} (ymin, xmin, ymax, xmax) has to begin in the image, which is "
            f"{height} x {width}, and to end behind its beginning"
        )


def _round(value: float) -> int:
    return math.floor(value + 0.5)
