"""Boxes on what an image was resized to, back to boxes on the image."""

from __future__ import annotations

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import ResizeParameter


def boxes_in_pixels(boxes: np.ndarray, height: int, width: int, resize: ResizeParameter) -> np.ndarray:
    """Boxes (K x 4, in parts of what resize made of an image) on that image (pixels), clipped to it.

    A box all of which is in the padding is taken as one on the image, as in Caffe.
    Source: OutputBBox of the SSD fork of Caffe.
    """
    size = np.array([width, height] * 2, np.float32)
    boxes = boxes.astype(np.float32)
    if resize.resize_mode == ResizeParameter.FIT_SMALL_SIZE and resize.height_scale and resize.width_scale:
        scale = np.array([resize.width_scale, resize.height_scale] * 2, np.float32)
        return np.clip(boxes * scale, 0, size)
    if resize.resize_mode == ResizeParameter.FIT_LARGE_SIZE_AND_PAD:
        boxes = _without_padding(boxes, np.float32(width) / np.float32(height), resize)
    return np.clip(boxes, 0, 1) * size


def _without_padding(boxes: np.ndarray, aspect: np.float32, resize: ResizeParameter) -> np.ndarray:
    whole = np.array([resize.width, resize.height], np.float32)
    filled = np.array([whole[0], whole[0] / aspect], np.float32)
    if not aspect > whole[0] / whole[1]:
        filled = np.array([whole[1] * aspect, whole[1]], np.float32)
    low = (whole - filled) / 2 / whole
    high = 1 - low
    on_image = np.hstack([boxes[:, :2] < high, boxes[:, 2:] > low]).all(axis=1, keepdims=True)
    moved = (boxes - np.tile(low, 2)) / np.tile(high - low, 2)
    return np.where(on_image, moved, boxes)
