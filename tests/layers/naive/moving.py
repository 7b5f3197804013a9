"""Layers that move elements, or make them up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from caffe_compat.rng import Rng
from layers.naive.given import Given, lines


def taken(shape, source: Callable[[tuple[int, ...]], float]) -> np.ndarray:
    """The blob of this shape whose element at each place is source(place)."""
    top = np.zeros(shape)
    for at in np.ndindex(*shape):
        top[at] = source(at)
    return top


def with_axis(shape: tuple[int, ...], axis: int, size: int) -> tuple[int, ...]:
    return (*shape[:axis], size, *shape[axis + 1 :])


def arg_max(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.argmax_param
    along = param.HasField("axis")
    axis = range(x.ndim)[param.axis]
    rows = lines(x, axis) if along else x.reshape(x.shape[0], -1, 1)
    found = np.zeros((2, rows.shape[0], param.top_k, rows.shape[2]))
    for i, k in np.ndindex(rows.shape[0], rows.shape[2]):
        best = sorted(((v, c) for c, v in enumerate(rows[i, :, k].tolist())), reverse=True)
        for rank, (value, c) in enumerate(best[: param.top_k]):
            found[:, i, rank, k] = c, value
    if along:
        return [found[int(param.out_max_val)].reshape(with_axis(x.shape, axis, param.top_k))]
    kinds = found if param.out_max_val else found[:1]
    return [np.stack([kind[:, :, 0] for kind in kinds], axis=1).reshape(len(x), len(kinds), param.top_k)]


def batch_reindex(given: Given) -> list[np.ndarray]:
    x, indices = given.bottom
    return [taken((len(indices), *x.shape[1:]), lambda at: x[(int(indices[at[0]]), *at[1:])])]


def concat(given: Given) -> list[np.ndarray]:
    param, first = given.param.concat_param, given.bottom[0]
    axis = range(first.ndim)[param.concat_dim if param.HasField("concat_dim") else param.axis]
    places = [(b, i) for b, x in enumerate(given.bottom) for i in range(x.shape[axis])]

    def source(at):
        b, i = places[at[axis]]
        return given.bottom[b][(*at[:axis], i, *at[axis + 1 :])]

    return [taken(with_axis(first.shape, axis, len(places)), source)]


def crop(given: Given) -> list[np.ndarray]:
    (x, size), param = given.bottom, given.param.crop_param
    axis = range(x.ndim)[param.axis]
    offsets = list(param.offset) or [0]
    offsets = [0] * axis + (offsets * (x.ndim - axis) if len(offsets) == 1 else offsets)
    shape = (*x.shape[:axis], *size.shape[axis:])
    return [taken(shape, lambda at: x[tuple(a + offset for a, offset in zip(at, offsets, strict=True))])]


def dummy_data(given: Given) -> list[np.ndarray]:
    param, stream = given.param.dummy_data_param, Rng(given.seed)
    tops = []
    for i in range(given.tops):
        sizes = (param.num, param.channels, param.height, param.width)
        shape = [values[i if len(values) > 1 else 0] for values in sizes if values]
        if param.shape:
            shape = list(param.shape[i if len(param.shape) > 1 else 0].dim)
        top = np.zeros(shape, np.float32)
        if param.data_filler:
            filler = param.data_filler[i if len(param.data_filler) > 1 else 0]
            reach = (3 / (top.size / shape[0])) ** 0.5
            if filler.type == "gaussian":
                stream.gaussian(filler.mean, filler.std, top)
            elif filler.type == "xavier":
                stream.uniform(-reach, reach, top)
        tops.append(top)
    return tops


def filter_items(given: Given) -> list[np.ndarray]:
    *items, selector = given.bottom
    kept = [i for i, chosen in enumerate(selector.flat) if chosen]
    return [taken((len(kept), *x.shape[1:]), lambda at, x=x: x[(kept[at[0]], *at[1:])]) for x in items]


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


def slice_axis(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.slice_param
    axis = range(x.ndim)[param.slice_dim if param.HasField("slice_dim") else param.axis]
    size = x.shape[axis]
    points = list(param.slice_point) or [size // given.tops * i for i in range(1, given.tops)]
    ends = [0, *points, size]
    return [
        taken(
            with_axis(x.shape, axis, ends[i + 1] - ends[i]),
            lambda at, start=ends[i]: x[(*at[:axis], at[axis] + start, *at[axis + 1 :])],
        )
        for i in range(given.tops)
    ]


def tile(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.tile_param
    axis = range(x.ndim)[param.axis]
    size = x.shape[axis]
    shape = with_axis(x.shape, axis, param.tiles * size)
    return [taken(shape, lambda at: x[(*at[:axis], at[axis] % size, *at[axis + 1 :])])]


def upsample(given: Given) -> list[np.ndarray]:
    (x, mask), param = given.bottom, given.param.upsample_param
    scale_h, scale_w = (param.scale_h, param.scale_w) if param.HasField("scale_h") else (param.scale,) * 2
    height, width = x.shape[2] * scale_h - param.pad_out_h, x.shape[3] * scale_w - param.pad_out_w
    if param.HasField("upsample_h"):
        height, width = param.upsample_h, param.upsample_w
    top = np.zeros((*x.shape[:2], height, width))
    for at in np.ndindex(x.shape):
        top[(*at[:2], *divmod(int(mask[at]), width))] = x[at]
    return [top]


NAIVE = {
    "ArgMax": arg_max,
    "BatchReindex": batch_reindex,
    "Concat": concat,
    "Crop": crop,
    "DummyData": dummy_data,
    "Filter": filter_items,
    "Flatten": flatten,
    "Parameter": lambda given: [given.blobs[0].reshape(list(given.param.parameter_param.shape.dim))],
    "Permute": permute,
    "Reshape": reshape,
    "ShuffleChannel": shuffle_channel,
    "Silence": lambda given: [],
    "Slice": slice_axis,
    "Split": lambda given: given.bottom * given.tops,
    "Tile": tile,
    "Upsample": upsample,
}
