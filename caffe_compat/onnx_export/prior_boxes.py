"""SSD's prior boxes, of the sizes that the map and the image have when the model runs."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.ssd.prior_box import PriorBox
from caffe_compat.layers.ssd.prior_box_densified import PriorBoxDensified
from caffe_compat.layers.ssd.prior_box_offset import PriorBoxOffset
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators

AXES = 3, 2  # of the map and the image: along x, along y


@converts(
    "PriorBox",
    "PriorBoxClustered",
    "PriorBoxDensified",
    "PriorBoxOffset",
    "PriorBoxStretched",
    "PriorBoxTiled",
)
def prior_box(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PriorBox)
    (left, right), (top, bottom) = (_sides(write, layer, bottoms, i) for i in range(2))
    places = write("Concat", *(write.dims(bottoms[0], axis, axis + 1) for axis in (2, 3)), axis=0)
    own = write.ints([len(layer.sizes), len(layer.offsets), 1])
    each = write("Concat", places, own, axis=0)
    boxes = write("Concat", *(write("Expand", side, each) for side in (left, top, right, bottom)), axis=4)
    variances = write("Expand", write.floats(layer.variance), write("Shape", boxes))
    if layer.layer_param.prior_box_param.clip:
        boxes = write("Clip", boxes, write.floats(0), write.floats(1))
    rows = (write.reshape(numbers, 1, 1, -1) for numbers in (boxes, variances))
    return [write("Concat", *rows, axis=1)]


def _sides(write: Operators, layer: PriorBox, bottoms: list[str], i: int) -> tuple[str, str]:
    """Where the boxes begin and end along x (i = 0) or y, in parts of the image: 1 x W x P x O x 1, or H x 1 ..., for P
    boxes around each of O places in a pixel."""
    pixels = write.size(bottoms[0], AXES[i])
    image = write.floats([layer.image[i]]) if layer.image else write.size(bottoms[1], AXES[i])
    step = write.floats([layer.step[i]]) if layer.step else write("Div", image, pixels)
    start = write("Unsqueeze", write.places(bottoms[0], AXES[i]), write.ints([i, 2, 3, 4]))
    start = write("Add", start, write.floats(np.reshape(layer.offsets, (-1, 2))[:, i, None]))
    centre = write("Mul", start, step)
    if isinstance(layer, PriorBoxOffset):
        places = np.repeat(layer.places[:, i], len(layer.shapes))
        centre = write("Add", centre, write("Mul", write.floats(places[:, None, None]), step))
    elif layer.moves.any():
        centre = write("Add", centre, write.floats(layer.moves[:, i, None, None]))
    half = write.floats(layer.sizes[:, i, None, None] / 2)
    low, high = (write("Div", write(sign, centre, half), image) for sign in ("Sub", "Add"))
    if isinstance(layer, PriorBoxDensified):
        low, high = write("Max", low, write.floats(0)), write("Min", high, write.floats(1))
    return low, high
