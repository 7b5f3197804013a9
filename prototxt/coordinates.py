"""Where a Crop without an offset cuts in the forks that find it themselves: by the coordinates of both its bottoms.

Each layer maps coordinates of its bottom to its top's, y = scale * x + shift on each axis; both bottoms are followed
down to the blob where they meet. Source: CropLayer of longjon/caffe (branch future), of which s9xie/hed, DeepSkeleton
and CRF-RNN's Caffe have copies.
"""

from __future__ import annotations

from fractions import Fraction

from caffe_compat.errors import GraphError
from caffe_compat.prototxt.caffe_pb2 import (
    ConvolutionParameter,
    LayerParameter,
    NetParameter,
    PoolingParameter,
)

KEEPS_COORDINATES = {
    "AbsVal", "BN", "BNLL", "BatchNorm", "Bias", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "MVN", "PReLU",
    "Power", "ReLU", "ReLU6", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
}  # fmt: skip

_Axis = tuple[Fraction, Fraction]  # scale, shift
_Map = tuple[_Axis, _Axis]  # of height and width
_ONE, _ZERO = Fraction(1), Fraction(0)
_IDENTITY: _Map = ((_ONE, _ZERO), (_ONE, _ZERO))


def crop_offsets(net: NetParameter, index: int) -> tuple[int, int] | None:
    """Rows and columns that layer `index`, a Crop, leaves out before the part that lies over its second bottom.

    None where the bottoms come from no blob in common. Raises GraphError where a layer between has no map of
    coordinates, or the offset is negative or no whole number.
    """
    crop = net.layer[index]
    first, second = crop.bottom[0], crop.bottom[1]
    producers: dict[str, int] = {}
    for i, layer in enumerate(net.layer[:index]):
        for top in layer.top:
            producers.setdefault(top, i)
    meeting = _meeting(net, producers, first, second)
    if meeting is None:
        return None
    maps = [_map_from(net, producers, meeting, blob, crop) for blob in (first, second)]
    scale_shift = [_compose(there, _inverse(here)) for here, there in zip(*maps, strict=True)]
    if any(scale != 1 or shift > 0 or shift.denominator != 1 for scale, shift in scale_shift):
        found = " and ".join(f"x * {float(scale):g} + {float(shift):g}" for scale, shift in scale_shift)
        raise _error(crop, f"its second bottom lies at {found} of its first")
    return -int(scale_shift[0][1]), -int(scale_shift[1][1])


def _error(crop: LayerParameter, found: str) -> GraphError:
    return GraphError(
        f"Crop finds no offset by itself: {found}; give crop_param {{ offset: ... }}", layer=crop.name
    )


def _below(net: NetParameter, producers: dict[str, int], blob: str) -> str | None:
    """The first bottom of the layer that makes a blob; the forks look at no other."""
    layer = net.layer[producers[blob]] if blob in producers else None
    return layer.bottom[0] if layer is not None and layer.bottom else None


def _meeting(net: NetParameter, producers: dict[str, int], first: str, second: str) -> str | None:
    """The first blob below `second`, or that itself, which is below `first` too."""
    passed: set[str | None] = set()
    blob: str | None = first
    while blob is not None and blob not in passed:
        passed.add(blob)
        blob = _below(net, producers, blob)
    seen: set[str] = set()
    blob = second
    while blob is not None and blob not in passed and blob not in seen:
        seen.add(blob)
        blob = _below(net, producers, blob)
    return blob if blob in passed else None


def _map_from(
    net: NetParameter, producers: dict[str, int], start: str, end: str, crop: LayerParameter
) -> _Map:
    """The map from the coordinates of `start` to those of `end`, which is above it."""
    result = _IDENTITY
    while end != start:
        layer = net.layer[producers[end]]
        step = _map(layer)
        if step is None:
            raise _error(crop, f"layer '{layer.name}' ({layer.type}) has no map of coordinates")
        result = (_compose(result[0], step[0]), _compose(result[1], step[1]))
        end = layer.bottom[0]
    return result


def _map(layer: LayerParameter) -> _Map | None:
    if layer.type in KEEPS_COORDINATES:
        return _IDENTITY
    if layer.type in ("AutoCrop", "Crop"):
        offsets = list(layer.crop_param.offset) or [0]
        return (_ONE, Fraction(-offsets[0])), (_ONE, Fraction(-offsets[-1]))
    filters = filter_sizes(layer)
    if filters is None or (layer.type == "Pooling" and layer.pooling_param.global_pooling):
        return None
    height, width = (_filter(*sizes_of_axis) for sizes_of_axis in zip(*filters, strict=True))
    return (height, width) if layer.type == "Deconvolution" else (_inverse(height), _inverse(width))


def filter_sizes(layer: LayerParameter) -> tuple[tuple[int, int], ...] | None:
    """Kernel (with its holes), stride and pad, each of height and width; None for types that have no such sizes, and
    for a stride of 0."""
    param: ConvolutionParameter | PoolingParameter
    if layer.type in ("Convolution", "Deconvolution", "ConvolutionDepthwise", "DepthwiseConvolution"):
        param = layer.convolution_param
    elif layer.type == "Pooling":
        param = layer.pooling_param
    else:
        return None
    dilations = [*(layer.convolution_param.dilation or [1])]
    (height, width), strides, pads = (_sizes(param, name, default) for name, default in _FILTER)
    kernels = (height - 1) * dilations[0] + 1, (width - 1) * dilations[-1] + 1
    return (kernels, strides, pads) if all(strides) else None


_FILTER = (("kernel", 1), ("stride", 1), ("pad", 0))


def _sizes(param, name: str, default: int) -> tuple[int, int]:
    """Height and width of `kernel`, `stride` or `pad`, in whichever of the forms they are given."""
    if param.HasField(f"{name}_h") or param.HasField(f"{name}_w"):
        return getattr(param, f"{name}_h"), getattr(param, f"{name}_w")
    value = getattr(param, "kernel_size" if name == "kernel" else name)
    values = [value] if isinstance(value, int) else list(value)
    values = values or [default]
    return values[0], values[-1]


def _filter(kernel: int, stride: int, pad: int) -> _Axis:
    """From the coordinates of a convolution's top to its bottom's, or of a deconvolution's bottom to its top's."""
    return Fraction(stride), Fraction(kernel - 1, 2) - pad


def _compose(after: _Axis, before: _Axis) -> _Axis:
    return after[0] * before[0], after[0] * before[1] + after[1]


def _inverse(axis: _Axis) -> _Axis:
    return 1 / axis[0], -axis[1] / axis[0]
