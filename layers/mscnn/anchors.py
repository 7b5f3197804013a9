"""Anchors: at each place of a map, a box of the size of a field, around the place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.layers.base import Layer

LEAST_SIZE = np.float32(2)  # of a ground-truth box, in pixels


class Anchors:
    """Fields w x h around the places of a map whose cells are `stride` pixels apart, one field a group.

    Offsets and boxes are rows x height x width x 4, row i of group i % groups: offsets in parts of the field, boxes in
    pixels. Raises LayerError unless there are as many widths as heights, all sizes and the stride positive.
    """

    def __init__(self, layer: Layer, widths: Sequence[int], heights: Sequence[int], stride: int):
        if len(widths) != len(heights) or not widths or min(*widths, *heights, stride) < 1:
            raise layer.error(
                f"there are the fields field_w {list(widths)} and field_h {list(heights)}, {stride} pixels apart; "
                "give as many of both, and all above 0"
            )
        self.groups, self.stride = len(widths), np.float32(stride)
        self.fields = np.array([widths, heights], np.float32).T

    def encoded(self, boxes: np.ndarray) -> np.ndarray:
        """The offsets that lead to boxes given as centre and size."""
        fields = self._fields(boxes)
        move = (boxes[..., :2] - self._centres(boxes)) / fields
        return np.concatenate([move, np.log(np.maximum(boxes[..., 2:], LEAST_SIZE) / fields)], axis=-1)

    def decoded(self, offsets: np.ndarray) -> np.ndarray:
        """The boxes to which offsets lead, as x y w h."""
        fields = self._fields(offsets)
        with np.errstate(over="ignore"):
            size = fields * np.exp(offsets[..., 2:])
        centre = offsets[..., :2] * fields + self._centres(offsets)
        return np.concatenate([centre - size / np.float32(2), size], axis=-1)

    def _centres(self, maps: np.ndarray) -> np.ndarray:
        height, width = maps.shape[1:3]
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        return (np.stack([x, y], axis=-1) + np.float32(0.5)) * self.stride

    def _fields(self, maps: np.ndarray) -> np.ndarray:
        return self.fields[np.arange(len(maps)) % self.groups, None, None]


def bounds(layer: Layer, field_xyr: float, field_whr: float) -> np.ndarray:
    """How far offsets may lead, 2 x 4, least and most: a field / field_xyr, and field_whr times smaller or larger.

    Raises LayerError unless both are above 0.
    """
    if not (field_xyr > 0 and field_whr > 0):
        raise layer.error(f"field_xyr is {field_xyr:g} and field_whr {field_whr:g}; both must be above 0")
    move, scale = 1 / np.float32(field_xyr), np.log(np.float32(field_whr))
    return np.array([[-move, -move, -scale, -scale], [move, move, scale, scale]], np.float32)


def last_axis(maps: np.ndarray) -> np.ndarray:
    """Maps N x C x H x W with the channels last."""
    return maps.transpose(0, 2, 3, 1)
