"""python_param.param_str of the Python layers that are built in: YAML."""

from __future__ import annotations

from typing import Any

import yaml

from caffe_compat.layers.base import Layer
from caffe_compat.safe_yaml import Loader


def num_classes(layer: Layer) -> int:
    """Return `num_classes` of param_str, a YAML mapping with or without braces.

    Raises LayerError where it is not there, or not a whole number above 1 (background and a class).
    """
    value = _read(layer)
    if not isinstance(value, dict) or type(value.get("num_classes")) is not int or value["num_classes"] < 2:
        raise layer.error(
            f"param_str is {layer.param_str!r}; expected the number of classes, background included: "
            "\"'num_classes': 21\""
        )
    return value["num_classes"]


def anchor_params(layer: Layer) -> tuple[int, tuple[float, ...], float]:
    """Return feat_stride (pixels of the image a pixel of the map), scales (8, 16, 32 where param_str has none)
    and allowed_border (pixels; 0 where it has none).

    Raises LayerError where feat_stride is missing, or one of them is no such number.
    """
    value = _read(layer)
    if isinstance(value, dict):
        stride, border = value.get("feat_stride"), value.get("allowed_border", 0)
        scales = value.get("scales", (8, 16, 32))
        if (
            type(stride) is int
            and stride > 0
            and isinstance(border, int | float)
            and isinstance(scales, list | tuple)
            and scales
            and all(isinstance(scale, int | float) and scale > 0 for scale in scales)
        ):
            return stride, tuple(scales), border
    raise layer.error(
        f"param_str is {layer.param_str!r}; expected the pixels between anchors, and scales where they are not "
        "the usual ones: \"{'feat_stride': 16, 'scales': [8, 16, 32]}\""
    )


def _read(layer: Layer) -> Any:
    try:
        return yaml.load(layer.param_str, Loader)
    except yaml.YAMLError as error:
        raise layer.error(
            f"param_str {layer.param_str!r} is not YAML: {' '.join(str(error).split())}"
        ) from None
