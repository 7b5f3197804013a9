"""Layers of DeepLab's fork."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, labels, normal, positive


def some_labels(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Labels 0 to 3 of images, each row's in ascending order and without repeats, then -1."""
    rows = np.full(shape, -1.0)
    for n, row in enumerate(rows):
        found = np.sort(rng.permutation(4)[: 2 + n % 2])
        row[: len(found)] = found.reshape(-1, *[1] * (len(shape) - 2))
    return rows


def sizes(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """A height and a width for each image: 4 and 3 of the first one, far more of the others."""
    return np.array([(4, 3) if n == 0 else (40, 50) for n in range(shape[0])]).reshape(shape)


def small_sizes(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """A height and a width for each image, within 4 x 3."""
    return np.array([(4, 3) if n == 0 else (3, 2) for n in range(shape[0])]).reshape(shape)


def colours(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(-100, 100, shape)


def photo(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Colours as bytes have them, with fractions."""
    return rng.uniform(0, 255, shape)


CRF = "pos_xy_std: 2 pos_w: 3"
BILATERAL = "bi_xy_std: 5 bi_rgb_std: 40 bi_w: 2"
CASES = [
    *(
        Case(
            f'type: "DenseCRFMap" densecrf_param {{ {params} }}',
            [(2, 3, 9, 8), (2, 3, 9, 8)],
            [(3, 2, 6, 5), (3, 3, 6, 5)],
            fills=[normal, photo],
            gradient=False,
            note="forward only",
        )
        for params in (
            "x_gauss: 1 y_gauss: 1.5 wt_gauss: 2 wt_bilateral: 0.5",
            "wt_gauss: 0.3 x_bilateral: 2 y_bilateral: 4 r_bilateral: 60 g_bilateral: 60 b_bilateral: 60 "
            "wt_bilateral: 1",
        )
    ),
    *(
        Case(
            f'type: "UniqueLabel" unique_label_param {{ max_labels: 6 {params} }}',
            [(2, 1, 3, 4)],
            [(3, 1, 2, 5)],
            fills=[labels(4)],
            gradient=False,
            note="labels, forward only",
        )
        for params in ("", "ignore_label: 1 force_label: 7 force_label: 0")
    ),
    *(
        Case(
            f'type: "BiasChannel" bias_channel_param {{ {params} }}',
            [(2, 5, 3, 4), of_labels],
            [(3, 4, 2, 5), other_labels],
            fills=[normal, fill],
        )
        for params, of_labels, other_labels, fill in (
            ("", (2, 6, 1, 1), (3, 4, 1, 1), some_labels),
            ("bg_bias: 0.5 fg_bias: 3 ignore_label: 2", (2, 6, 1, 1), (3, 4, 1, 1), some_labels),
            ("label_type: PIXEL fg_bias: 3", (2, 1, 3, 4), (3, 1, 2, 5), labels(4)),
            ("label_type: PIXEL bg_bias: 0.5", (2, 1, 3, 4), (3, 1, 2, 5), labels(4)),
            ("label_type: PIXEL background_label: 3", (2, 1, 3, 4), (3, 1, 2, 5), labels(4)),
        )
    ),
    *(
        Case(
            f'type: "AdaptiveBiasChannel" adaptive_bias_channel_param {{ {params} }}',
            [(2, 5, 3, 4), (2, 6, 1, 1)],
            [(3, 4, 2, 5), (3, 4, 1, 1)],
            fills=[normal, some_labels],
            gradient=False,
            note="forward only",
        )
        for params in (
            "",
            "num_iter: 3 bg_portion: 0.6 fg_portion: 0.4 margin_others: 0.5",
            "suppress_others: false bg_portion: 1",
        )
    ),
    *(
        Case(
            f'type: "{name}" domain_transform_param {{ {params} }}',
            [(2, 3, 5, 4), (2, 1, 5, 4), (2, 2)],
            [(3, 2, 4, 6), (3, 1, 4, 6), (3, 2)],
            fills=[normal, positive, small_sizes],
            gradient=not note,
            note=note,
        )
        for name, params, note in (
            ("DomainTransform", "", ""),
            ("DomainTransform", "num_iter: 2 spatial_sigma: 3 range_sigma: 2", ""),
            ("DomainTransform", "spatial_sigma: 3 min_weight: 0.2", "leaves the bound out, as the original"),
            ("DomainTransformForwardOnly", "", "forward only"),
            ("DomainTransformForwardOnly", "num_iter: 2 spatial_sigma: 3 range_sigma: 2", "forward only"),
            ("DomainTransformForwardOnly", "spatial_sigma: 3 min_weight: 0.2", "forward only"),
        )
    ),
    Case('type: "SpatialProduct"', [(2, 3, 5, 4), (2, 1, 5, 4)], [(3, 2, 4, 6), (3, 1, 4, 6)]),
    *(
        Case(
            f'type: "DenseCRF" dense_crf_param {{ {params} }}',
            [(2, 3, 5, 4), (2, 2), (2, 3, 5, 4)][:bottoms],
            [(3, 2, 6, 5), (3, 2), (3, 3, 6, 5)][:bottoms],
            fills=[normal, sizes, colours][:bottoms],
            gradient=False,
            note="forward only",
        )
        for params, bottoms in (
            (CRF, 2),
            (f"{CRF} {BILATERAL} max_iter: 2", 3),
            (f"{BILATERAL} {BILATERAL.replace('40', '10')} max_iter: 1 output_probability: false", 3),
        )
    ),
]
