"""Layers that take RoIs."""

from __future__ import annotations

import math

import numpy as np

from layers.fast_rcnn.test_box_annotator_ohem import naive as annotated
from layers.fast_rcnn.test_hard_roi_mining import losses, overlap
from layers.fast_rcnn.test_psroi_pooling import naive as pooled_by_place
from layers.fast_rcnn.test_roi_align import naive as aligned
from layers.fast_rcnn.test_roi_align import on_grid
from layers.fast_rcnn.test_roi_alignment import naive as in_the_middle
from layers.fast_rcnn.test_roi_pooling import naive as pooled
from layers.fast_rcnn.test_roi_pooling import round_away
from layers.naive.given import Given

F = np.float32


def roi_pooling(given: Given) -> list[np.ndarray]:
    (x, rois), param = given.bottom, given.param.roi_pooling_param
    seed = np.zeros((len(rois), x.shape[1], param.pooled_h, param.pooled_w))
    rois = padded(rois, param.pad_ratio)
    return [pooled(x, rois, param.pooled_h, param.pooled_w, param.spatial_scale, seed)[0]]


def roi_mask_pooling(given: Given) -> list[np.ndarray]:
    (x, rois), param = given.bottom, given.param.roi_mask_pooling_param
    on_map = []
    for n, x1, y1, x2, y2 in rois.astype(np.float32):
        spans = []
        for low, high, first_half, last_half in ((x1, x2, 1, 2), (y1, y2, 3, 4)):
            centre, reach = (low + high) / 2, (high - low) * np.float32(param.roi_scale) / 2
            low, high = centre - reach, centre + reach
            low, high = (
                centre if param.half_part == last_half else low,
                centre if param.half_part == first_half else high,
            )
            scale, shift = np.float32(param.spatial_scale), np.float32(param.spatial_shift)
            spans.append([round_away(float(place * scale + shift)) for place in (low, high)])
        on_map.append([n, spans[0][0], spans[1][0], spans[0][1], spans[1][1]])
    seed = np.zeros((len(rois), x.shape[1], param.pooled_h, param.pooled_w))
    return [pooled(x, np.array(on_map), param.pooled_h, param.pooled_w, 1, seed)[0]]


def region_pooling(given: Given) -> list[np.ndarray]:
    (x, regions), param = given.bottom, given.param.region_pooling_param
    scale, offset = np.float32(param.spatial_scale), np.float32(param.offset)

    def span(low: float, high: float) -> tuple[int, int]:
        first = math.floor(float((np.float32(low) + np.float32(1) + offset) * scale) + 0.5)
        last = math.ceil(float((np.float32(high) + np.float32(1) - offset) * scale) - 0.5)
        middle = int((first + last) / 2)
        return (first, last) if first <= last else (middle, middle)

    top = np.zeros((len(regions), x.shape[1], param.pooled_h, param.pooled_w))
    for r, (n, x1, y1, x2, y2, *inner) in enumerate(regions):
        columns, rows = span(x1, x2), span(y1, y2)
        holes = span(inner[0], inner[2]), span(inner[1], inner[3])
        for c, i, j in np.ndindex(top.shape[1:]):
            found = [0.0]
            for h, w in np.ndindex(x.shape[2:]):
                of_bin = [
                    math.floor(k * F(size) / F(count)) <= at - first < math.ceil((k + 1) * F(size) / F(count))
                    for k, at, (first, last), count in (
                        (i, h, rows, param.pooled_h),
                        (j, w, columns, param.pooled_w),
                    )
                    for size in [last - first + 1]
                ]
                in_hole = holes[0][0] < w < holes[0][1] and holes[1][0] < h < holes[1][1]
                if all(of_bin) and not in_hole:
                    found.append(x[int(n), c, h, w])
            top[r, c, i, j] = max(found)
    return [top]


def psroi_pooling(given: Given) -> list[np.ndarray]:
    (x, rois), param = given.bottom, given.param.psroi_pooling_param
    seed = np.zeros((len(rois), param.output_dim, param.group_size, param.group_size))
    return [pooled_by_place(x, rois, param.group_size, param.spatial_scale, seed)[0]]


def padded(rois: np.ndarray, ratio: float) -> np.ndarray:
    """Each side moved out by a part of the RoI's width or height."""
    return np.array(
        [
            [n, x1 - w * ratio, y1 - h * ratio, x2 + w * ratio, y2 + h * ratio]
            for n, x1, y1, x2, y2 in rois
            for w, h in [(x2 - x1 + 1, y2 - y1 + 1)]
        ]
    )


def deformable_psroi_pooling(given: Given) -> list[np.ndarray]:
    (x, rois, *offsets), param = given.bottom, given.param.deformable_psroi_pooling_param
    assert len(offsets) == (not param.no_trans)
    assert all(values.shape[2] == (param.part_size or param.group_size) for values in offsets)
    group, count, parts = param.group_size, param.sample_per_part, param.part_size or param.group_size
    height, width = x.shape[2:]
    top = np.zeros((len(rois), param.output_dim, group, group))
    for r, c, i, j in np.ndindex(top.shape):
        lines = []
        for axis, (low, high), index, limit in (
            (0, rois[r, [1, 3]], j, width),
            (1, rois[r, [2, 4]], i, height),
        ):
            start = round_away(low) * param.spatial_scale - 0.5
            size = max((round_away(high) + 1) * param.spatial_scale - 0.5 - start, 0.1)
            moved = 0.0
            if offsets:
                k = c // (param.output_dim // (offsets[0].shape[1] // 2))
                moved = offsets[0][r, 2 * k + axis, i * parts // group, j * parts // group] * param.trans_std
            first = start + index * size / group + moved * size
            places = [first + s * size / group / count for s in range(count)]
            lines.append([min(max(p, 0), limit - 1) for p in places if -0.5 <= p <= limit - 0.5])
        plane = x[int(rois[r, 0]), (c * group + i) * group + j]
        values = [between(plane, v, u) for v in lines[1] for u in lines[0]]
        top[r, c, i, j] = np.mean(values) if values else 0
    return [top]


def between(plane: np.ndarray, y: float, x: float) -> float:
    total = 0.0
    for h, v in ((math.floor(y), 1 - y % 1), (math.ceil(y), y % 1)):
        total += v * ((1 - x % 1) * plane[h, math.floor(x)] + x % 1 * plane[h, math.ceil(x)])
    return total


def roi_align(given: Given) -> list[np.ndarray]:
    if given.param.HasField("roi_pooling_param"):
        (x, rois), param = given.bottom, given.param.roi_pooling_param
        rois = padded(rois, param.pad_ratio)
        return [on_grid(x, rois, param.pooled_h, param.pooled_w, param.spatial_scale)]
    (x, rois), param = given.bottom, given.param.roi_align_param
    seed = np.zeros((len(rois), x.shape[1], param.pooled_h, param.pooled_w))
    return [aligned(x, rois, param.pooled_h, param.pooled_w, param.spatial_scale, seed)[0]]


def roi_alignment(given: Given) -> list[np.ndarray]:
    (x, rois), param = given.bottom, given.param.roi_alignment_param
    seed = np.zeros((len(rois), x.shape[1], param.pooled_h, param.pooled_w))
    return [in_the_middle(x, rois, param.spatial_scale, seed)[0]]


def hard_roi_mining(given: Given) -> list[np.ndarray]:
    param, (rois, labels) = given.param.hard_roi_mining_param, given.bottom[2:4]
    stay: list[int] = []
    for r in np.argsort(-losses(given.bottom)):
        rivals = [s for s in stay if rois[s, 0] == rois[r, 0] and labels[s] == labels[r]]
        if not param.use_nms or all(overlap(rois[r, 1:], rois[s, 1:]) <= param.nms_thresh for s in rivals):
            stay.append(int(r))
    return [values[stay[: param.batch_size]] for values in given.bottom[2:]]


def box_annotator_ohem(given: Given) -> list[np.ndarray]:
    param = given.param.box_annotator_ohem_param
    rois, costs, labels, weights = given.bottom
    flat = rois.reshape(-1, 5), costs.ravel(), labels.ravel(), weights.reshape(len(rois), -1)
    tops = annotated(*flat, param.roi_per_img, param.ignore_label)
    return [top.reshape(of.shape) for top, of in zip(tops, (labels, weights), strict=True)]


NAIVE = {
    "BoxAnnotatorOHEM": box_annotator_ohem,
    "DeformablePSROIPooling": deformable_psroi_pooling,
    "HardRoIMining": hard_roi_mining,
    "PSROIPooling": psroi_pooling,
    "ROIAlign": roi_align,
    "ROIAlignment": roi_alignment,
    "ROIMaskPooling": roi_mask_pooling,
    "RegionPooling": region_pooling,
    "ROIPooling": roi_pooling,
}
