"""Layers that give their bottom another shape, or a part of it."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.layers.corner_crop import CornerCrop
from caffe_compat.layers.depth_to_space import DepthToSpace
from caffe_compat.layers.dtow import Dtow
from caffe_compat.layers.merge_crop import MergeCrop
from caffe_compat.layers.patch_reshape import PatchReshape
from caffe_compat.onnx_export.converters import converts
from caffe_compat.onnx_export.operators import Operators


@converts("Flatten")
def flatten(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes = layer.layer_param.flatten_param, write.axes[bottoms[0]]
    start, end = param.axis % axes, param.end_axis % axes + 1
    if end < start + 1:
        return [write("Unsqueeze", *bottoms, write.ints([start]))]
    return [_reshaped(write, bottoms[0], start, end, [-1])]


@converts("Gather", "Scatter")
def passed_on(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return bottoms


@converts("Reshape")
def reshape(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes = layer.layer_param.reshape_param, write.axes[bottoms[0]]
    start = param.axis if param.axis >= 0 else axes + 1 + param.axis
    end = axes if param.num_axes == -1 else start + param.num_axes
    return [_reshaped(write, bottoms[0], start, end, list(param.shape.dim))]


def _reshaped(write: Operators, x: str, start: int, end: int, dims: list[int]) -> str:
    """x with these dims in place of those from start to end; 0 and -1 mean the same in Caffe and in ONNX."""
    dims = [0] * start + dims
    if end == write.axes[x]:
        return write.reshape(x, *dims)
    if len(dims) == end:
        return write.reshape(x, *dims, *[0] * (write.axes[x] - end))
    shape = write("Concat", write.ints(dims), write.dims(x, end, write.axes[x]), axis=0)
    return write("Reshape", x, shape)


@converts("Permute")
def permute(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    order = list(layer.layer_param.permute_param.order)
    order += [axis for axis in range(write.axes[bottoms[0]]) if axis not in order]
    return [write("Transpose", *bottoms, perm=order)]


@converts("ShuffleChannel")
def shuffle_channel(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    group, axes = layer.layer_param.shuffle_channel_param.group, write.axes[bottoms[0]]
    shape = write("Shape", *bottoms)
    groups = _reshaped(write, bottoms[0], 1, 2, [group, -1])
    mixed = write("Transpose", groups, perm=[0, 2, 1, *range(3, axes + 1)])
    return [write("Reshape", mixed, shape)]


@converts("Tiling")
def tiling(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    side = layer.layer_param.tiling_param.tile_dim
    return [write("DepthToSpace", *bottoms, blocksize=side, mode="CRD")]


@converts("Reorg")
def reorg(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, (x,) = layer.layer_param.reorg_param, bottoms
    stride, rest = write.ints([param.stride]), write.ints([-1])
    n, rows, columns = (write.dims(x, axis, axis + 1) for axis in (0, 2, 3))
    if param.reverse:
        parts, order = (n, stride, stride, rest, rows, columns), [0, 3, 4, 1, 5, 2]
    else:
        parts, order = (n, rest, rows, stride, columns, stride), [0, 3, 5, 1, 2, 4]
    y = write("Transpose", write("Reshape", x, write("Concat", *parts, axis=0)), perm=order)
    scaled = (write("Mul" if param.reverse else "Div", size, stride) for size in (rows, columns))
    return [write("Reshape", y, write("Concat", n, rest, *scaled, axis=0))]


@converts("Crop", "AutoCrop")
def crop(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes = layer.layer_param.crop_param, write.axes[bottoms[0]]
    axis = param.axis % axes
    offsets = list(param.offset) or [0]
    starts = write.ints(offsets if len(offsets) == axes - axis else offsets * (axes - axis))
    ends = write("Add", starts, write.dims(bottoms[1], axis, axes))
    return [write("Slice", bottoms[0], starts, ends, write.ints(list(range(axis, axes))))]


@converts("MergeCrop")
def merge_crop(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, MergeCrop)
    small, large = bottoms
    axes = list(range(2, write.axes[small]))
    if axes:
        inside, outside = (write.dims(value, 2, 2 + len(axes)) for value in bottoms)
        starts = write("Div", write("Sub", outside, inside), write.ints([2]))
        large = write("Slice", large, starts, write("Add", starts, inside), write.ints(axes))
    parts = [
        part if counts else write("Sub", part, part)
        for part, counts in zip((small, large), layer.counts, strict=True)
    ]
    return [write("Add", *parts) if layer.adds else write("Concat", *parts, axis=1)]


@converts("CropCenter")
def crop_center(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    crops = list(layer.layer_param.crop_center_param.crop_size)
    axes = [axis for axis, crop in enumerate(crops) if crop]
    if not axes:
        return [write("Identity", *bottoms)]
    starts, ends = [crops[axis] for axis in axes], [-crops[axis] for axis in axes]
    return [write("Slice", *bottoms, *map(write.ints, (starts, ends, axes)))]


@converts("Tile")
def tile(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param, axes = layer.layer_param.tile_param, write.axes[bottoms[0]]
    repeats = [param.tiles if i == param.axis % axes else 1 for i in range(axes)]
    return [write("Tile", *bottoms, write.ints(repeats))]


@converts("Squeeze")
def squeeze(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    axes = list(layer.layer_param.squeeze_param.axis)
    return [write("Squeeze", *bottoms, *([write.ints(axes)] if axes else []))]


@converts("Pad")
def pad(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    param = layer.layer_param.pad_param
    counts = [*param.paddings[::2], *param.paddings[1::2]]
    return [write("Pad", *bottoms, write.ints(counts), write.floats(param.constant_values))]


@converts("DepthToSpace")
def depth_to_space(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, DepthToSpace)
    (x,), is_crd = bottoms, layer.layer_param.depth_to_space_param.data_format == "CRD"
    if layer.channels_last:
        x = write("Transpose", x, perm=[0, 3, 1, 2])
    y = write("DepthToSpace", x, blocksize=layer.block, mode="CRD" if is_crd else "DCR")
    return [write("Transpose", y, perm=[0, 2, 3, 1]) if layer.channels_last else y]


@converts("PatchReshape")
def patch_reshape(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, PatchReshape)
    param = layer.layer_param.reshape_param
    parts = write.reshape(bottoms[0], 0, *layer.view[1:])
    y = write("Transpose", parts, perm=[0, 3, 4, 2, 5, 1])
    return [write.reshape(y, 0, param.new_channel, param.new_height, param.new_width)]


@converts("Dtow")
def dtow(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, Dtow)
    (x,), p, channels = bottoms, layer.size, layer.channels(layer.deep)
    if layer.to_width:
        return [
            write(
                "DepthToSpace",
                write("Gather", x, write.ints(channels.tolist()), axis=1),
                blocksize=p,
                mode="CRD",
            )
        ]
    blocks = (
        np.arange(layer.deep).reshape(p * p, -1).T.ravel()
    )  # ONNX has a block's pixels ahead of the channels
    places = blocks[np.argsort(channels)]
    return [write("Gather", write("SpaceToDepth", x, blocksize=p), write.ints(places.tolist()), axis=1)]


@converts("CornerCrop")
def corner_crop(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    assert isinstance(layer, CornerCrop)
    tops = []
    for starts in layer.starts():
        ends = [start + size for start, size in zip(starts, layer.size, strict=True)]
        tops.append(write("Slice", *bottoms, *map(write.ints, (starts, ends, [2, 3]))))
    return tops


@converts("Mul")
def mul(write: Operators, layer: Layer, bottoms: list[str]) -> list[str]:
    return [write("Mul", *bottoms)]
