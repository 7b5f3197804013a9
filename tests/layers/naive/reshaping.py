"""Layers that give their bottom another shape or order, a part of it, or copies of it."""

from __future__ import annotations

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import MergeCropParameter
from layers.naive.given import Given, taken, with_axis


def crop(given: Given) -> list[np.ndarray]:
    (x, size), param = given.bottom, given.param.crop_param
    axis = range(x.ndim)[param.axis]
    offsets = list(param.offset) or [0]
    offsets = [0] * axis + (offsets * (x.ndim - axis) if len(offsets) == 1 else offsets)
    shape = (*x.shape[:axis], *size.shape[axis:])
    return [taken(shape, lambda at: x[tuple(a + offset for a, offset in zip(at, offsets, strict=True))])]


def crop_center(given: Given) -> list[np.ndarray]:
    (x,), crops = given.bottom, given.param.crop_center_param.crop_size
    shape = tuple(size - 2 * crop for size, crop in zip(x.shape, crops, strict=True))
    return [taken(shape, lambda at: x[tuple(a + crop for a, crop in zip(at, crops, strict=True))])]


def merge_crop(given: Given) -> list[np.ndarray]:
    (small, large), param = given.bottom, given.param.mergecrop_param
    count = [*param.forward, True, True][:2]
    channels = small.shape[1]

    def element(at):
        n, c, *place = at
        inside = [p + (b - a) // 2 for p, a, b in zip(place, small.shape[2:], large.shape[2:], strict=True)]
        near, far = small[(n, c % channels, *place)], large[(n, c % channels, *inside)]
        if param.operation == MergeCropParameter.ADD:
            return count[0] * near + count[1] * far
        return count[0] * near if c < channels else count[1] * far

    parts = 1 if param.operation == MergeCropParameter.ADD else 2
    return [taken((len(small), parts * channels, *small.shape[2:]), element)]


def flatten(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.flatten_param
    first, last = range(x.ndim)[param.axis], range(x.ndim)[param.end_axis]
    size = 1
    for axis in range(first, last + 1):
        size *= x.shape[axis]
    return [x.reshape(*x.shape[:first], size, *x.shape[last + 1 :])]


def permute(given: Given) -> list[np.ndarray]:
    (x,), order = given.bottom, list(given.param.permute_param.order)
    order += [axis for axis in range(x.ndim) if axis not in order]
    shape = [x.shape[axis] for axis in order]
    return [taken(shape, lambda at: x[tuple(at[order.index(axis)] for axis in range(x.ndim))])]


def reorg(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.reorg_param
    (images, c, h, w), s = x.shape, param.stride
    tops = []
    for image in range(images):
        source, target = x[image].ravel(), np.zeros(x[image].size)
        for k, j, i in np.ndindex(c, h, w):
            one, (o, d) = i + w * (j + h * k), divmod(k, c // (s * s))
            other = i * s + o % s + w * s * (j * s + o // s + h * s * d)
            if param.reverse:
                target[other] = source[one]
            else:
                target[one] = source[other]
        tops.append(
            target.reshape((c // s**2, h * s, w * s) if param.reverse else (c * s**2, h // s, w // s))
        )
    return [np.stack(tops)]


def reshape(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.reshape_param
    first = param.axis if param.axis >= 0 else x.ndim + param.axis + 1
    last = x.ndim if param.num_axes == -1 else first + param.num_axes
    dims = [x.shape[first + i] if dim == 0 else dim for i, dim in enumerate(param.shape.dim)]
    return [x.reshape(*x.shape[:first], *dims, *x.shape[last:])]


def shuffle_channel(given: Given) -> list[np.ndarray]:
    (x,), groups = given.bottom, given.param.shuffle_channel_param.group
    size = x.shape[1] // groups
    return [taken(x.shape, lambda at: x[(at[0], at[1] % groups * size + at[1] // groups, *at[2:])])]


def tile(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.tile_param
    axis = range(x.ndim)[param.axis]
    size = x.shape[axis]
    shape = with_axis(x.shape, axis, param.tiles * size)
    return [taken(shape, lambda at: x[(*at[:axis], at[axis] % size, *at[axis + 1 :])])]


def tiling(given: Given) -> list[np.ndarray]:
    (x,), side = given.bottom, given.param.tiling_param.tile_dim
    n, channels, height, width = x.shape

    def value(at):
        image, channel, i, j = at
        return x[image, channel * side**2 + i % side * side + j % side, i // side, j // side]

    return [taken((n, channels // side**2, height * side, width * side), value)]


def one_process(given: Given) -> list[np.ndarray]:
    return given.bottom


def patch_reshape(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.reshape_param
    high, wide, channels = param.new_patch_height, param.new_patch_width, param.new_channel
    x = x.reshape((*x.shape, 1, 1)[:4])
    assert x.shape[1] == high * wide * channels

    def source(at: tuple[int, ...]) -> float:
        n, c, row, column = at
        channel = (column % wide * high + row % high) * channels + c
        return x[n, channel, row // high, column // wide]

    return [taken((len(x), channels, param.new_height, param.new_width), source)]


def depth_to_space(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.depth_to_space_param
    s = param.block_size
    if param.data_format == "NHWC":
        n, h, w, c = x.shape
        left = c // s**2
        return [
            taken(
                (n, h * s, w * s, left),
                lambda at: x[at[0], at[1] // s, at[2] // s, (at[1] % s * s + at[2] % s) * left + at[3]],
            )
        ]
    n, c, h, w = x.shape
    left = c // s**2

    def value(at):
        place = at[2] % s * s + at[3] % s
        channel = at[1] * s**2 + place if param.data_format == "CRD" else place * left + at[1]
        return x[at[0], channel, at[2] // s, at[3] // s]

    return [taken((n, left, h * s, w * s), value)]


def squeeze(given: Given) -> list[np.ndarray]:
    (x,), axes = given.bottom, list(given.param.squeeze_param.axis)
    return [np.squeeze(x, tuple(axes) if axes else None)]


def pad(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.pad_param
    pairs = [*zip(param.paddings[::2], param.paddings[1::2], strict=True)]
    return [np.pad(x, pairs, constant_values=param.constant_values)]


def mul(given: Given) -> list[np.ndarray]:
    a, b = np.broadcast_arrays(*given.bottom)
    return [taken(a.shape, lambda at: a[tuple(at)] * b[tuple(at)])]


def dtow(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.dtow_param
    p = param.psize
    pixels = [(i, j) for i in range(p) for j in range(p)]
    group = 1
    if param.method in (param.LDTOW, param.LWTOD):
        pixels.sort(key=lambda at: (at[0] + at[1], at[0]))
        group = param.ngroup
    widens = param.method in (param.MDTOW, param.LDTOW)
    n, c, h, w = x.shape
    if not widens:
        c, h, w = c * p * p, h // p, w // p
    top = np.zeros((n, c // (p * p), h * p, w * p) if widens else (n, c, h, w))
    for image, channel, i, j in np.ndindex(n, c, h, w):
        run, inside = divmod(channel, p * p * group)
        k, member = divmod(inside, group)
        deep = image, channel, i, j
        wide = image, run * group + member, i * p + pixels[k][0], j * p + pixels[k][1]
        if widens:
            top[wide] = x[deep]
        else:
            top[deep] = x[wide]
    return [top]


def corner_crop(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.corner_crop_param
    high, wide = (param.crop_size,) * 2 if param.crop_size else (param.crop_h, param.crop_w)
    down, right = x.shape[2] - high, x.shape[3] - wide
    corners = {
        "center": (down // 2, right // 2),
        "upperleft": (0, 0),
        "upperright": (0, right),
        "lowerleft": (down, 0),
        "lowerright": (down, right),
    }
    return [
        taken((*x.shape[:2], high, wide), lambda at, i=i, j=j: x[at[0], at[1], at[2] + i, at[3] + j])
        for i, j in (corners[position] for position in [*param.position] or ["center"] * given.tops)
    ]


NAIVE = {
    "CornerCrop": corner_crop,
    "Dtow": dtow,
    "AutoCrop": crop,
    "Crop": crop,
    "CropCenter": crop_center,
    "MergeCrop": merge_crop,
    "DepthToSpace": depth_to_space,
    "Flatten": flatten,
    "Gather": one_process,
    "Mul": mul,
    "Pad": pad,
    "PatchReshape": patch_reshape,
    "Permute": permute,
    "Reorg": reorg,
    "Reshape": reshape,
    "Scatter": one_process,
    "ShuffleChannel": shuffle_channel,
    "Squeeze": squeeze,
    "Tile": tile,
    "Tiling": tiling,
}
