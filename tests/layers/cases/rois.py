"""Layers that take RoIs."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, labels, normal, positive, rois, unit


def regions(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """R x 9: of images 0 and 1, outer rectangles on 80 x 110 pixels and beyond, and inner ones."""
    outer = rois(2, 80, 110)(rng, (shape[0], 5))
    sides = outer[:, 3:5] - outer[:, 1:3]
    return np.hstack([outer, outer[:, 1:3] + sides * 0.2, outer[:, 3:5] - sides * 0.3])


CASES = [
    *(
        Case(
            f'type: "ROIPooling" roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[apart, rois(2, 80, 110)],  # some RoIs end outside of the map
        )
        for h, w, scale in ((2, 3, 0.1), (6, 4, 0.0625))
    ),
    Case(
        'type: "ROIPooling" roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.1 pad_ratio: 0.25 }',
        [(2, 3, 7, 9), (5, 5)],
        [(3, 2, 10, 6), (4, 5)],
        fills=[apart, rois(2, 80, 110)],
    ),
    *(
        Case(
            f'type: "RegionPooling" region_pooling_param {{ pooled_h: {h} pooled_w: {w} {params} }}',
            [(2, 3, 7, 9), (5, 9)],
            [(3, 2, 10, 6), (4, 9)],
            fills=[apart, regions],
        )
        for h, w, params in (
            (2, 3, "spatial_scale: 0.1 offset: 6"),
            (5, 4, "spatial_scale: 0.0625"),
            (3, 2, "spatial_scale: 0.1 offset: 25"),
        )
    ),
    *(
        Case(
            f'type: "ROIAlign" roi_pooling_param {{ pooled_h: 2 pooled_w: 3 {params} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[normal, rois(2, 80, 130)],
        )
        for params in ("spatial_scale: 0.1", "spatial_scale: 0.0625 pad_ratio: 0.5")
    ),
    *(
        Case(
            f'type: "ROIMaskPooling" roi_mask_pooling_param {{ pooled_h: 2 pooled_w: 3 {params} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[apart, rois(2, 80, 110)],
        )
        for params in (
            "spatial_scale: 0.1 roi_scale: 1.8",
            "spatial_scale: 0.0625 roi_scale: 0.8 half_part: 1",
            "spatial_scale: 0.1 half_part: 2 spatial_shift: 0.4",
            "spatial_scale: 0.1 half_part: 3",
            "spatial_scale: 0.1 half_part: 4",
        )
    ),
    *(
        Case(
            f'type: "ROIAlign" roi_align_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[normal, rois(2, 80, 130)],
        )
        for h, w, scale in ((2, 3, 0.1), (6, 4, 0.0625))
    ),
    *(
        Case(
            f'type: "ROIAlignment" roi_alignment_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[normal, rois(2, 80, 130)],
            gradient=False,
            note="the original's gradient is not the true one; test_roi_alignment.py",
        )
        for h, w, scale in ((2, 3, 0.1), (6, 4, 0.0625))
    ),
    *(
        Case(
            f'type: "PSROIPooling" psroi_pooling_param {{ {params} }}',
            [(2, channels, 7, 9), (6, 5)],
            [(3, channels, 10, 4), (4, 5)],
            fills=[normal, rois(2, 80, 110)],  # some RoIs end outside of the map
        )
        for params, channels in (
            ("spatial_scale: 0.1 output_dim: 3 group_size: 2", 12),
            ("spatial_scale: 0.0625 output_dim: 2 group_size: 3", 18),
        )
    ),
    *(
        Case(
            f'type: "DeformablePSROIPooling" deformable_psroi_pooling_param {{ {params} }}',
            [(2, 16, 7, 9), (6, 5), *offsets],
            [(3, 16, 10, 4), (4, 5), *((4, *shape[1:]) for shape in offsets)],
            fills=[normal, rois(2, 80, 110), normal][: 2 + len(offsets)],
        )
        for offsets, params in (
            ([(6, 4, 3, 3)], "spatial_scale: 0.1 output_dim: 4 group_size: 2 part_size: 3 trans_std: 0.1"),
            (
                [(6, 2, 2, 2)],
                "spatial_scale: 0.0625 output_dim: 4 group_size: 2 sample_per_part: 3 trans_std: 0.3",
            ),
            ([], "spatial_scale: 0.1 output_dim: 1 group_size: 4 sample_per_part: 2 no_trans: true"),
        )
    ),
    *(
        Case(
            f'type: "HardRoIMining" hard_roi_mining_param {{ {params} }}',
            [(count, 3), (count, 12), (count, 5), (count,), *[(count, 12)] * 3],
            [(11, 3), (11, 12), (11, 5), (11,), *[(11, 12)] * 3],
            fills=[unit, normal, fill, labels(3)],
            tops=5,
            gradient=False,
            note="a choice of rows of which nothing takes a gradient",
        )
        for params, count, fill in (
            ("batch_size: 5 nms_thresh: 0.3", 8, rois(2, 60, 70)),
            ("batch_size: 5 use_nms: false", 8, rois(2, 60, 70)),
            ("batch_size: 7 nms_thresh: 0.1", 19, rois(2, 30, 20)),
            ("batch_size: 7 nms_thresh: 0.1 use_nms: false", 19, rois(2, 30, 20)),
        )
    ),
    *(
        Case(
            f'type: "BoxAnnotatorOHEM" box_annotator_ohem_param {{ {params} }}',
            [(9, 5), (9,), (9,), (9, 8)],
            [(7, 5, 1, 1), (7, 1, 1, 1), (7, 1, 1, 1), (7, 12, 1, 1)],
            fills=[rois(2, 60, 70), positive, labels(3)],
            tops=2,
            gradient=False,
            note="a choice of rows of which nothing takes a gradient",
        )
        for params in ("roi_per_img: 2", "roi_per_img: 3 ignore_label: 7")
    ),
]
