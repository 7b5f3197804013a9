"""Layers of SINet."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST
from layers.harness import Case, Fill, apart, labels, normal, rois, unit

PARAM = "caroi_pooling_param"


def large_rois(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Of images 1 and 0, at least 36 pixels on each side."""
    corner = rng.uniform(0, 30, (shape[0], 2))
    image = np.arange(shape[0], 0, -1) % 2
    return np.column_stack([image, corner, corner + rng.uniform(36, 60, corner.shape)])


def small_rois(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Every second one narrow, every third one low, some outside of the map."""
    rows = rois(2, 90, 120)(rng, shape)
    rows[::2, 3] = rows[::2, 1] + rng.uniform(0, 25, len(rows[::2]))
    rows[::3, 4] = rows[::3, 2] + rng.uniform(0, 25, len(rows[::3]))
    rows[-1, 1:3] -= 15
    return rows


def branch_counts(*counts: int) -> Fill:
    return lambda rng, shape: np.array(counts).reshape(shape)


def branch_table(*counts: int) -> Fill:
    """Rows of number and branch, from 1, in a random order of the branches."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        branch = rng.permutation(np.repeat(np.arange(len(counts)) + 1, counts))
        number = [np.count_nonzero(branch[:i] == b) for i, b in enumerate(branch)]
        return np.stack([number, branch], axis=1).reshape(shape)

    return fill


def feature_split(*counts: int, params: str = "") -> Case:
    rows = sum(counts)
    return Case(
        f'type: "ROIFeatureSplit" {params}',
        [(rows, 4, 3, 2), (len(counts), 1, 1, 1), (rows, 2, 1, 1)],
        [(rows, 2, 1, 5), (len(counts),), (rows, 2)],
        fills=[normal, branch_counts(*counts), branch_table(*counts)],
        tops=len(counts),
    )


def label_split(*counts: int) -> Case:
    rows = sum(counts)
    return Case(
        f'type: "LabelSplit{len(counts)}"',
        [(len(counts), 1, 1, 1), (rows, 2, 1, 1), (rows, 1), (rows, 12), (rows, 6), (rows, 2, 3)],
        [(len(counts),), (rows, 2), (rows,), (rows, 3), (rows, 20), (rows, 4, 3, 2)],
        fills=[branch_counts(*counts), branch_table(*counts)],
        tops=4 * len(counts),
        gradient=False,
        note="nothing takes a gradient",
    )


CASES = [
    Case(
        f'type: "CAROIPooling" {PARAM} {{ pooled_h: 2 pooled_w: 3 spatial_scale: 0.1 }}',
        [(2, 3, 10, 9), (5, 5)],
        [(3, 2, 9, 11), (4, 5)],
        fills=[apart, large_rois],
    ),
    *(
        Case(
            f'type: "CAROIPooling" {PARAM} {{ {params} }}',
            [(2, 3, 8, 12), (9, 5)],
            [(3, 2, 10, 7), (11, 5)],
            fills=[apart, small_rois],
            gradient=False,
            note="the original's gradient of what is enlarged is not the true one; test_sinet.py",
        )
        for params in (
            "pooled_h: 4 pooled_w: 6 spatial_scale: 0.1",
            "pooled_h: 5 pooled_w: 2 spatial_scale: 0.0625 pad_ratio: 0.25",
            "pooled_h: 1 pooled_w: 9 spatial_scale: 0.1",
        )
    ),
    *(
        Case(
            f'type: "ROISplit" roi_split_param {{ {params} }}',
            [(29, 5)],
            [(33, 5)],
            fills=[rois(2, 60, 80)],
            tops=2,
            gradient=False,
            note="nothing takes a gradient",
            **kwargs,
        )
        for params, kwargs in (
            ("split_area1: 300", {"phase": TEST}),
            ("branch_num: 3 split_area1: 200 split_area2: 700", {"phase": TEST}),
            (
                "branch_num: 3 split_area1: 400 split_area2: 900 fluctuation_range_large: 390 "
                "fluctuation_range_small: 1200",
                {},
            ),
            ("split_area1: 500", {}),
        )
    ),
    feature_split(4, 3),
    feature_split(0, 5, params="roi_feature_split_param { branch_num: 2 }"),
    feature_split(2, 4, 3, params="roi_feature_split_param { branch_num: 3 }"),
    label_split(4, 3),
    label_split(2, 5, 3),
    label_split(6, 0, 3),
    *(
        Case(
            f'type: "SoftmaxWithLoss2" {params}',
            [(4, 5), (4,), (3,)],
            [(2, 6), (2,), (3, 1, 1, 1)],
            fills=[normal, labels(5), branch_counts(0, 2, 4)],
            tops=tops,
        )
        for tops, params in (
            (1, "softmax_split_param { branch_id: 2 }"),
            (3, "softmax_split_param { branch_id: 3 } loss_param { ignore_label: 4 normalize: false }"),
            (1, "softmax_split_param { branch_id: 2 } loss_param { normalization: NONE }"),
            (
                1,
                "softmax_split_param { branch_id: 2 } loss_param { normalization: PRE_FIXED "
                "pre_fixed_normalizer: 3 }",
            ),
        )
    ),
    Case(
        'type: "SoftmaxWithLoss2" softmax_param { axis: 2 } softmax_split_param { axis: 2 branch_id: 2 }',
        [(3, 2, 5), (3, 2), (2,)],
        [(2, 4, 6), (2, 4), (2,)],
        fills=[normal, labels(5), branch_counts(0, 2)],
    ),
    *(
        Case(
            f'type: "SmoothL1Loss2" {params}',
            [(4, 2, 3, 1)] * 4 + [(3,)],
            [(2, 5, 1, 3)] * 4 + [(3, 1, 1, 1)],
            fills=[normal, normal, unit, unit, branch_counts(0, 2, 4)],
            tops=tops,
        )
        for tops, params in (
            (1, "smooth_l1_split_param { branch_id: 2 }"),
            (2, "smooth_l1_split_param { branch_id: 3 sigma: 1.5 } loss_param { normalize: true }"),
            (
                1,
                "smooth_l1_split_param { branch_id: 2 } loss_param { normalization: PRE_FIXED "
                "pre_fixed_normalizer: 3 }",
            ),
        )
    ),
    Case(
        'type: "SoftmaxWithLoss2"',
        [(4, 5), (4,), (3,)],
        fills=[normal, labels(5), branch_counts(0, 2, 4)],
        tops=2,
        gradient=False,
        note="a branch without RoIs has none",
    ),
    Case(
        'type: "SmoothL1Loss2"',
        [(4, 2, 3, 1)] * 4 + [(3,)],
        fills=[normal, normal, unit, unit, branch_counts(0, 2, 4)],
        gradient=False,
        note="a branch without RoIs has none",
    ),
]
