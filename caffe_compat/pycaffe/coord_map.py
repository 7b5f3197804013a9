"""How coordinates of tops relate, through convolution, pooling and crops; and the Crop layer that aligns two tops.

A map is (axis, scale, shift), arrays with one number a spatial axis (or one for all): coordinate i of the bottom is at
i * scale + shift in the top. `axis` is the last one before the spatial ones; None where a layer changes no coordinates.

Source: pycaffe's coord_map.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caffe_compat.prototxt.net_spec import Function, Layers, Top

PASS_THROUGH_LAYERS = [
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Log", "LRN", "Exp", "MVN", "Power", "ReLU",
    "PReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
]  # fmt: skip
_LEGACY = {"pad_h", "pad_w", "kernel_h", "kernel_w", "stride_h", "stride_w"}

Map = tuple[Any, Any, Any]  # axis, scale, shift
IDENTITY: Map = (None, 1, 0)


class UndefinedMapException(Exception):  # noqa: N818  pycaffe's name
    """This layer has no map of coordinates."""


class AxisMismatchException(Exception):  # noqa: N818  pycaffe's name
    """Two maps are of different axes."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(axis, stride, kernel extent with dilation, pad) of a Convolution, Deconvolution, Im2col or Pooling.

    Raises AssertionError where they are given as height and width (kernel_h, ...).
    """
    params = fn.params.get("convolution_param", fn.params.get("pooling_param", fn.params))
    if _LEGACY & set(params):
        raise AssertionError(
            f"cropping does not support legacy _h/_w params: {sorted(_LEGACY & set(params))}"
        )
    kernel, stride, pad, dilation = (
        np.array(params[name] if default is None else params.get(name, default), ndmin=1)
        for name, default in [("kernel_size", None), ("stride", 1), ("pad", 0), ("dilation", 1)]
    )
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """(axis, offset) of a Crop."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map of a layer, from bottom to top. Raises UndefinedMapException for a layer that has none."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"there is no map of coordinates through {fn.type_name}")


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that is `next_map` first and then `base_map`. Raises AxisMismatchException."""
    (axis1, scale1, shift1), (axis2, scale2, shift2) = base_map, next_map
    if axis1 is not None and axis2 is not None and axis1 != axis2:
        raise AxisMismatchException(f"one map is of axis {axis1}, the other of axis {axis2}")
    return axis2 if axis1 is None else axis1, scale1 * scale2, scale1 * shift2 + shift1


def inverse(coord_map: Map) -> Map:
    """The map backwards."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map of coordinates of `top_from` to those of `top_to`, by way of a blob that both come from.

    Raises RuntimeError where no spatial layers connect them.
    """
    from_maps = {top_from: IDENTITY}
    waiting = [top_from]
    while waiting:
        waiting.extend(_walk_down(waiting.pop(), from_maps))
    to_maps = {top_to: IDENTITY}
    waiting = [top_to]
    while waiting:
        top = waiting.pop()
        if top in from_maps:
            return compose(to_maps[top], inverse(from_maps[top]))
        waiting.extend(_walk_down(top, to_maps))
    raise RuntimeError("Could not compute map between tops; are they connected by spatial layers?")


def _walk_down(top: Top, maps: dict[Top, Map]) -> list[Top]:
    """The bottoms of a top's layer, with their maps added; none where there is no map. A Crop's second is no source."""
    bottoms = list(top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs)
    try:
        below = compose(maps[top], coord_map(top.fn)) if bottoms else IDENTITY
    except UndefinedMapException:
        return []
    new = [bottom for bottom in dict.fromkeys(bottoms) if bottom not in maps]
    maps.update((bottom, below) for bottom in new)
    return new


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts of `top_from` what lies over `top_to`.

    Raises AssertionError where their scales differ, or the offset is negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    scale, shift = np.atleast_1d(scale), np.atleast_1d(shift)
    if not (scale == 1).all():
        raise AssertionError(f"scale mismatch on crop (a = {scale})")
    if not (shift <= 0).all():
        raise AssertionError(f"cannot crop negative offset (b = {shift})")
    if not (np.round(shift) == shift).all():
        raise AssertionError(f"cannot crop noninteger offset (b = {shift})")
    first = 1 if axis is None else axis  # None: through layers that change no coordinate
    return Layers().Crop(top_from, top_to, crop_param={"axis": first + 1, "offset": [int(-b) for b in shift]})
