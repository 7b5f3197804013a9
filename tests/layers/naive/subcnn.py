"""Layers of SubCNN."""

from __future__ import annotations

import math

import numpy as np

from caffe_compat.rng import Rng
from layers.naive.given import Given


def feature_extrapolating(given: Given) -> list[np.ndarray]:
    (x,), param = given.bottom, given.param.feature_extrapolating_param
    base, steps = param.num_scale_base, param.num_per_octave
    scales = [float(word) for word in param.scale_string.split()][:base]
    count = (base - 1) * steps + 1
    top = np.zeros((len(x) // base * count, *x.shape[1:]))
    for n, c, h, w in np.ndindex(top.shape):
        image, i = divmod(n, count)
        before, step = divmod(i, steps)
        scale = scales[before] + (step and step * (scales[before + 1] - scales[before]) / steps)
        nearer = math.floor(i / steps + 0.5)
        place = h * scales[nearer] / scale, w * scales[nearer] / scale
        plane = x[image * base + nearer, c]
        if place[0] < plane.shape[0] and place[1] < plane.shape[1]:
            for y, v in ((math.floor(place[0]), 1 - place[0] % 1), (math.floor(place[0]) + 1, place[0] % 1)):
                for z, u in (
                    (math.floor(place[1]), 1 - place[1] % 1),
                    (math.floor(place[1]) + 1, place[1] % 1),
                ):
                    if y < plane.shape[0] and z < plane.shape[1]:
                        top[n, c, h, w] += v * u * plane[y, z]
    return [top]


def heatmap_generating(given: Given) -> list[np.ndarray]:
    (x,) = given.bottom
    top = np.zeros((len(x), 1, *x.shape[2:]))
    for n, _, h, w in np.ndindex(top.shape):
        top[n, 0, h, w] = max(-1, *(x[n, c, h, w] for c in range(1, x.shape[1])))
    return [top]


def roi_generating(given: Given) -> list[np.ndarray]:
    (heat, boxes, values), param = given.bottom, given.param.roi_generating_param
    rng, heat = Rng(given.seed), heat.copy()
    s, a = int(values[0]), int(values[1])
    scales, mapped = values[2 : 2 + s], values[2 + s : 2 + 2 * s]
    heights, widths = values[2 + 2 * s : 2 + 2 * s + a], values[2 + 2 * s + a :]
    images, wide = len(heat) // s, 4 * param.num_classes
    each = param.batch_size // images
    tops = [np.zeros((param.batch_size, width, 1, 1)) for width in (5, 1, wide, wide, wide, 5, 1)]
    found = []
    for box in boxes:
        x, y, number = (int(value) for value in box[:3])
        found.append((heat[number, 0, y, x], len(found)))
        heat[number, 0, y, x] = -1
    chosen, rest = [], []
    for image in range(images):
        mine = [pair for pair in found if int(boxes[pair[1], 2]) // s == image]
        most = int(param.fg_fraction * each)
        if len(mine) > most:
            mine = sorted(mine)[:most]
        chosen += [index for _, index in mine]
        places = [(heat[at], at) for at in np.ndindex(heat.shape) if at[0] // s == image]
        rest += [at for _, at in sorted(places, reverse=True)[: each - len(mine)]]
    for row, index in enumerate(chosen):
        box, label = boxes[index], int(boxes[index, 12])
        tops[0][row, :, 0, 0], tops[1][row] = box[2:7], box[13]
        for top, target in zip(tops[2:5], (box[14:], 1, 1), strict=True):
            top[row, 4 * label : 4 * label + 4, 0, 0] = target
        tops[5][row, :, 0, 0], tops[6][row] = box[7:12], label
    for row, (number, _, y, x) in enumerate(rest, len(chosen)):
        ratio = rng.draw() % a
        w, h = widths[ratio] / 2, heights[ratio] / 2
        box = np.array([x - w, y - h, x + w, y + h]) / param.spatial_scale
        tops[0][row, :, 0, 0] = [number, *box]
        image, own = divmod(number, s)
        part = scales[own] / scales[-1]
        there = int(mapped[own]) if x < heat.shape[3] * part and y < heat.shape[2] * part else own
        tops[5][row, :, 0, 0] = [image * s + there, *box * scales[there] / scales[own]]
    assert given.tops == (5 if param.flag_proposal_only else 7)
    return tops[: given.tops]


NAIVE = {
    "FeatureExtrapolating": feature_extrapolating,
    "HeatmapGenerating": heatmap_generating,
    "ROIGenerating": roi_generating,
}
