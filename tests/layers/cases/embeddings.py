"""Layers of segaware's Caffe, which learn how alike neighbouring pixels are."""

from __future__ import annotations

import numpy as np

from layers.harness import Case, apart, labels, normal

IMAGE, OTHER = (2, 3, 6, 5), (3, 2, 5, 7)


def with_ignored(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Labels 0 to 2, and some 255."""
    return np.where(rng.uniform(size=shape) < 0.2, 255, labels(3)(rng, shape))


CASES = [
    *(
        Case(
            f'type: "Im2dist" convolution_param {{ {window} }} im2dist_param {{ {params} }}', [IMAGE], [OTHER]
        )
        for window, params in (
            ("kernel_size: 3 pad: 1", ""),
            ("kernel_h: 2 kernel_w: 3 pad_h: 2 pad_w: 1 stride: 2", "norm: L2"),
            ("kernel_size: 3 pad: 2 dilation: 2 stride_h: 2 stride_w: 3", ""),
        )
    ),
    Case(
        'type: "Im2dist" convolution_param { kernel_size: 3 dilation: 2 } im2dist_param { norm: L1 }',
        [IMAGE],
        [OTHER],
        fills=[apart],
    ),
    Case(
        'type: "Im2dist" convolution_param { kernel_size: 3 pad: 3 stride: 2 } im2dist_param { norm: L1 }',
        [IMAGE],
        [OTHER],
        gradient=False,
        note="pixels outside have a slope; test_embeddings.py",
    ),
    *(
        Case(
            f'type: "Im2dist" convolution_param {{ kernel_size: 3 pad: 1 }} im2dist_param {{ {params} }}',
            [IMAGE],
            [OTHER],
            gradient=False,
            note="the numbers are too large",
        )
        for params in ("remove_center: true", "remove_bounds: true")
    ),
    *(
        Case(
            f'type: "Im2parity" convolution_param {{ {window} }} im2parity_param {{ {params} }}',
            [(2, 2, 6, 5)],
            [(3, 1, 5, 7)],
            fills=[with_ignored],
            gradient=False,
            note="it has none",
        )
        for window, params in (
            ("kernel_size: 3 pad: 1", ""),
            ("kernel_h: 2 kernel_w: 3 pad_h: 2 pad_w: 3 stride_h: 2 stride_w: 3", "ignore_label: 255"),
            ("kernel_size: 3 pad: 2 dilation: 2 stride: 2", "ignore_label: 1"),
        )
    ),
    *(
        Case(
            f'type: "DistLoss" dist_loss_param {{ alpha: 0.5 beta: 1.2 {params} }}',
            [(2, 3, 4, 5), (2, 3, 4, 5)],
            [(3, 2, 6, 1), (3, 12)],
            fills=[normal, with_ignored],
            gradient=False,
            note="the gradient is that of half the squares, without the loss weight; test_embeddings.py",
        )
        for params in ("", "ignore_label: 255")
    ),
]
