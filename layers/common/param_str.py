"""python_param.param_str of the Python layers that are built in: YAML, or numbers in a certain order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import yaml

from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.cut_off import MOST
from caffe_compat.safe_yaml import Loader


class AnchorParams(NamedTuple):
    """What an RPN's param_str says; see `anchor_params`."""

    feat_stride: int
    ratios: tuple[float, ...] = (0.5, 1, 2)
    scales: tuple[float, ...] = (8, 16, 32)
    allowed_border: float = 0


def num_classes(layer: Layer) -> int:
    """Return `num_classes` of param_str, a YAML mapping with or without braces.

    Raises LayerError where it is not there, or not a whole number above 1 (background and a class).
    """
    value = _read(layer)
    if not (isinstance(value, dict) and _is_count(value.get("num_classes"), 2)):
        raise layer.error(
            f"param_str is {layer.param_str!r}; expected the number of classes, background included: "
            "\"'num_classes': 21\""
        )
    return value["num_classes"]


def background_label(layer: Layer) -> int:
    """Return person search's `bg_aux_label` of param_str, 0 where it is not there: a RoI's other label where it is
    background. Raises LayerError where it is not a whole number from 0."""
    value = _read(layer)
    label = value.get("bg_aux_label", 0) if isinstance(value, dict) else 0
    if not _is_count(label, 0):
        raise layer.error(f"bg_aux_label of param_str is {label!r}; expected a whole number from 0")
    return int(label)


def dropout_params(layer: Layer) -> tuple[float, bool]:
    """Return p, between 0 and 1, and whether phase is TRAIN, of ENet's dropout. Raises LayerError for other values."""
    value = _read(layer)
    with suppress(TypeError, ValueError, KeyError):
        p, phase = float(value["p"]), value["phase"]
        if 0 < p < 1 and phase in ("TRAIN", "TEST"):
            return p, phase == "TRAIN"
    raise layer.error(
        f"param_str is {layer.param_str!r}; expected p, between 0 and 1, and the phase: "
        "\"{'phase': 'TRAIN', 'p': '0.1'}\""
    )


def anchor_params(layer: Layer) -> AnchorParams:
    """Return feat_stride (pixels of the image a pixel of the map), the anchors' ratios of height to width, their
    scales, and allowed_border (pixels); all but the first have defaults.

    Raises LayerError where feat_stride is missing, where one of them is no such number, and for any other key.
    """
    value = _read(layer)
    if isinstance(value, dict):
        unknown = [str(key) for key in value if key not in AnchorParams._fields]
        if unknown:
            raise layer.error(
                f"param_str has {', '.join(unknown)}, which the layer built in does not know; it knows "
                f"{', '.join(AnchorParams._fields)}. Remove it, or give your own module another name to run it"
            )
        params = AnchorParams(**{"feat_stride": None, **value})
        stride, border = params.feat_stride, params.allowed_border
        sizes = _are_sizes(params.ratios) and _are_sizes(params.scales)
        if type(stride) is int and 0 < stride <= MOST and _is_number(border) and sizes:
            return params
    raise layer.error(
        f"param_str is {layer.param_str!r}; expected the pixels between anchors, and ratios and scales where they are "
        "not the usual ones: \"{'feat_stride': 16, 'ratios': [0.5, 1, 2], 'scales': [8, 16, 32]}\""
    )


def pyramid_params(layer: Layer, levels: int) -> tuple[list[int], float]:
    """Return the feat_stride of each level, written as "4,8,16,32,64", and allowed_border (1000 where it is not said).

    Raises LayerError for another number of levels, and where one of them is no such number.
    """
    value = _read(layer)
    with suppress(TypeError, ValueError, KeyError, AttributeError):
        strides, border = (
            [int(text) for text in value["feat_stride"].split(",")],
            value.get("allowed_border", 1000),
        )
        if len(strides) == levels and all(0 < stride <= MOST for stride in strides) and _is_number(border):
            return strides, border
    raise layer.error(
        f"param_str is {layer.param_str!r}; expected the pixels between anchors of each of {levels} levels: "
        "\"'feat_stride': 4,8,16,32,64\""
    )


def numbers_in_order(layer: Layer, params: Sequence[tuple[str, type]], optional: int) -> dict[str, Any]:
    """Return what param_str says between commas, by name: `params` has each name and int or float, in their order;
    the last `optional` of them may be left out, and what comes after them is not read.

    Raises LayerError where one is missing, no such number, or too large for an int of C.
    """
    texts = layer.param_str.split(",")
    with suppress(ValueError):
        values = {name: kind(text) for (name, kind), text in zip(params, texts, strict=False)}
        if len(values) >= len(params) - optional and all(map(_is_number, values.values())):
            return values
    names = ", ".join(name for name, _ in params)
    raise layer.error(
        f"param_str is {layer.param_str!r}; expected numbers, with commas between them: {names}"
    )


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= MOST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MOST <= value <= MOST


def _are_sizes(values: Any) -> bool:
    return (
        isinstance(values, list | tuple) and len(values) > 0 and all(_is_number(v) and v > 0 for v in values)
    )


def _read(layer: Layer) -> Any:
    try:
        return yaml.load(layer.param_str, Loader)
    except yaml.YAMLError as error:
        raise layer.error(
            f"param_str {layer.param_str!r} is not YAML: {' '.join(str(error).split())}"
        ) from None
