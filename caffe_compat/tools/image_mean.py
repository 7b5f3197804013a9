"""The mean of images, pixel by pixel: computed, written and read."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np

from caffe_compat.layers.common.binaryproto import read_binaryproto
from caffe_compat.prototxt.caffe_pb2 import BlobProto
from caffe_compat.prototxt.writer import write_binary
from caffe_compat.tools.file_errors import FileErrors

logger = logging.getLogger("caffe_compat.tools")


def image_mean(images: Iterable[tuple[np.ndarray, str]], source: str) -> tuple[np.ndarray, int]:
    """The mean of images (channels x height x width each, with its name), float32, and how many they were.

    Summed in float64, where Caffe sums in float32. Raises DataError for images of different shapes, and for none.
    Source: Caffe's compute_image_mean.
    """
    count, total = 0, None
    logger.info("Starting iteration")
    for image, name in images:
        if total is None:
            total = np.zeros(image.shape)
        if image.shape != total.shape:
            raise FileErrors(source).error(
                f"{name} has the shape {image.shape}, those before it {total.shape}; resize all to one size"
            )
        total += image
        count += 1
        if count % 10000 == 0:
            logger.info("Processed %d files.", count)
    if total is None:
        raise FileErrors(source).error("there are no images in it")
    if count % 10000:
        logger.info("Processed %d files.", count)
    return (total / count).astype(np.float32), count


def write_mean(mean: np.ndarray, path: str) -> None:
    """Write a mean as a .binaryproto, in the 4-D form that every Caffe reads."""
    channels, height, width = mean.shape
    proto = BlobProto(num=1, channels=channels, height=height, width=width)
    proto.data.extend(mean.reshape(-1).tolist())
    write_binary(proto, path)


def read_mean(path: str) -> np.ndarray:
    """A mean from a .npy or a .binaryproto: float32, channels, or channels x height x width.

    Raises DataError where the file cannot be read, or holds something else.
    """
    owner = FileErrors(path)
    if path.endswith(".npy"):
        try:
            mean = np.load(path, allow_pickle=False)
        except Exception as error:  # over a damaged file numpy raises half a dozen kinds
            reason = getattr(error, "strerror", None) or error
            raise owner.error(f"cannot read the mean: {reason}") from error
    else:
        mean = read_binaryproto(owner, path)
    mean = np.asarray(mean)
    if mean.ndim == 4 and len(mean) == 1:
        mean = mean[0]
    if mean.dtype.kind not in "fiu" or mean.ndim not in (1, 3) or not mean.size:
        raise owner.error(
            f"holds {mean.dtype} of the shape {mean.shape}; a mean is a number a channel, or channels x height x width"
        )
    return mean.astype(np.float32)
