"""python_param.param_str of the Python layers that are built in: YAML."""

from __future__ import annotations

import yaml

from caffe_compat.layers.base import Layer


def num_classes(layer: Layer) -> int:
    """Return `num_classes` of param_str, a YAML mapping with or without braces.

    Raises LayerError where it is not there, or not a whole number above 1 (background and a class).
    """
    try:
        value = yaml.safe_load(layer.param_str)
    except yaml.YAMLError as error:
        raise layer.error(
            f"param_str {layer.param_str!r} is not YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(value, dict) or type(value.get("num_classes")) is not int or value["num_classes"] < 2:
        raise layer.error(
            f"param_str is {layer.param_str!r}; expected the number of classes, background included: "
            "\"'num_classes': 21\""
        )
    return value["num_classes"]
