"""Layers of filters: they multiply with learned weights, or lay out what is multiplied (Im2col)."""

from __future__ import annotations

import numpy as np

from layers.cases.shared import FILLERS, IMAGE, OTHER_IMAGE
from layers.harness import Case, apart, labels, normal, unit


def dilations(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From 0 to 3, away from whole numbers."""
    return rng.randint(0, 3, shape) + rng.uniform(0.1, 0.9, shape)


CASES = [
    *(
        Case(f'type: "Convolution" convolution_param {{ {params} }}', [shape], [other])
        for params, shape, other in (
            ("num_output: 6 kernel_size: 3 pad: 1 stride: 2", (2, 3, 7, 5), (4, 3, 5, 8)),
            ("num_output: 6 kernel_size: 1 bias_term: false", (2, 3, 7, 5), (4, 3, 5, 8)),
            (
                "num_output: 6 kernel_h: 2 kernel_w: 3 group: 2 dilation: 2 pad_h: 0 pad_w: 2",
                (2, 4, 7, 5),
                (3, 4, 5, 8),
            ),
            ("num_output: 4 kernel_size: 3 pad: 1 stride: 2", (2, 3, 7), (4, 3, 6)),
            ("num_output: 4 kernel_size: 2 dilation: 2", (2, 3, 5, 4, 6), (1, 3, 4, 7, 3)),
        )
    ),
    Case(
        'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }',
        [(2, 3, 7, 5)] * 2,
        [(4, 3, 5, 8)] * 2,
        tops=2,
    ),
    Case('type: "Convolution" convolution_param { num_output: 4 kernel_size: 2 axis: -3 }', [(2, 3, 5, 6)]),
    *(
        Case(
            f'type: "PaddedConvolution" convolution_param {{ {params} }} padding_sides_param {{ {sides} }}',
            [(2, 4, 6, 6)],
            [(3, 4, 5, 8)],
        )
        for params, sides in (
            (f"num_output: 6 kernel_size: 3 stride: 2 {FILLERS}", "right: 1 bottom: 1"),
            ("num_output: 6 kernel_h: 2 kernel_w: 3 group: 2 dilation: 2 bias_term: false", "left: 2 top: 1"),
            ("num_output: 2 kernel_size: 3 stride_h: 2 stride_w: 3", "left: 1 right: 2 top: 2 bottom: 1"),
        )
    ),
    *(
        Case(f'type: "Deconvolution" convolution_param {{ {params} }}', [shape], [other])
        for params, shape, other in (
            ("num_output: 4 kernel_size: 3 pad: 1 stride: 2", (2, 3, 4, 5), (5, 3, 6, 2)),
            ("num_output: 4 kernel_size: 3 group: 2 dilation: 2", (3, 2, 4, 5), (1, 2, 3, 6)),
            ("num_output: 5 kernel_size: 1 bias_term: false", (3, 2, 4, 6), (1, 2, 3, 7)),
            ("num_output: 3 group: 3 kernel_size: 4 stride: 2 pad: 1", (2, 3, 4, 5), (1, 3, 7, 2)),
            ("num_output: 4 kernel_size: 3 stride: 2", (2, 3, 5), (4, 3, 2)),
        )
    ),
    Case(
        'type: "Deconvolution" '
        "convolution_param { num_output: 6 kernel_size: 3 group: 3 stride: 2 dilation: 2 pad: 2 }",
        [(2, 9, 5, 4)],
    ),
    *(
        Case(f'type: "{type}" convolution_param {{ {params} }}', [shape], [other])
        for type in ("Convolution", "Deconvolution")
        for params, shape, other in (
            (f"num_output: 4 kernel_size: 3 {FILLERS}", (2, 3, 4, 5), (5, 3, 6, 4)),
            (
                "num_output: 4 kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 stride_h: 3 stride_w: 2",
                (2, 3, 7, 5),
                (1, 3, 4, 8),
            ),
            ("num_output: 4 kernel_size: 2 axis: 2", (2, 5, 3, 4, 6), (1, 2, 3, 5, 4)),
        )
    ),
    *(
        Case(f'type: "ConvolutionDepthwise" convolution_param {{ {params} }}', [(2, 3, 7, 5)], [(4, 3, 5, 8)])
        for params in (
            "kernel_size: 3 pad: 1 stride: 2",
            "num_output: 9 group: 2 kernel_h: 2 kernel_w: 3 pad_h: 0 pad_w: 2 dilation: 2 bias_term: false",
            f"kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 stride_h: 3 stride_w: 2 {FILLERS}",
        )
    ),
    *(
        Case(
            f'type: "DepthwiseConvolution" convolution_param {{ num_output: 3 group: 3 {params} }}',
            [shape],
            [other],
        )
        for params, shape, other in (
            ("kernel_size: 3 pad: 1 stride: 2", (2, 3, 7, 5), (4, 3, 5, 8)),
            (
                "kernel_h: 2 kernel_w: 3 pad_h: 0 pad_w: 2 dilation: 2 bias_term: false",
                (2, 3, 7, 5),
                (4, 3, 5, 8),
            ),
            (
                f"kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 stride_h: 3 stride_w: 2 {FILLERS}",
                (2, 3, 7, 5),
                (4, 3, 5, 8),
            ),
            ("kernel_size: 2 axis: 2", (2, 5, 3, 4, 6), (4, 2, 3, 5, 3)),
        )
    ),
    *(
        Case(
            f'type: "DeformableConvolution" deformable_convolution_param {{ num_output: 6 {params} }}',
            [(2, 4, 7, 5), (2, *offsets)],
            [(3, 4, 5, 8), (3, *others)],
            fills=[normal, fill],
        )
        for fill, params, offsets, others in (
            (unit, "kernel_size: 3 pad: 1 stride: 2 deformable_group: 1", (18, 4, 3), (18, 3, 4)),
            (normal, "kernel_h: 2 kernel_w: 3 pad_h: 1 pad_w: 2 dilation: 2", (48, 7, 5), (48, 5, 8)),
            (normal, "kernel_size: 2 group: 2 deformable_group: 2 bias_term: false", (16, 6, 4), (16, 4, 7)),
            (
                normal,
                f"kernel_size: 1 stride_h: 3 stride_w: 2 deformable_group: 2 {FILLERS}",
                (4, 3, 3),
                (4, 2, 4),
            ),
        )
    ),
    *(
        Case(
            f'type: "DilatedByBottom" convolution_param {{ num_output: 6 {params} }}',
            [(2, 4, 7, 5)] * 2,
            [(3, 4, 5, 8)] * 2,
            fills=[normal, fill],
        )
        for fill, params in (
            (dilations, f"kernel_size: 3 pad: 2 dilation: 2 {FILLERS}"),
            (unit, "kernel_size: 3 pad: 1 group: 2 bias_term: false"),
            (dilations, "kernel_h: 3 kernel_w: 3 pad_h: 4 pad_w: 4 dilation: 4 stride_h: 1 stride_w: 1"),
        )
    ),
    *(
        Case(f'type: "Im2col" convolution_param {{ {params} }}', [shape], [other])
        for params, shape, other in (
            ("kernel_size: 3 pad: 1 stride: 2", IMAGE, OTHER_IMAGE),
            ("kernel_size: 2 dilation: 2", (2, 3, 7), (4, 5, 6)),
            ("kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 stride_h: 3 stride_w: 2", IMAGE, OTHER_IMAGE),
            ("kernel_size: 2 axis: 2", (2, 5, 3, 4, 6), (1, 2, 3, 5, 4)),
        )
    ),
    Case('type: "Im2col" convolution_param { kernel_size: 2 axis: -2 }', [(2, 3, 5, 4)]),
    *(
        Case(
            f'type: "{name}" convolution3d_param {{ num_output: 4 {params} }}',
            [(2, 3, 5, 7, 6)],
            [(1, 3, 4, 6, 5)],
            fills=[apart],
        )
        for name in ("Convolution3D", "Deconvolution3D")
        for params in (
            f"kernel_size: 3 kernel_depth: 2 pad: 2 temporal_pad: 1 {FILLERS}",
            "kernel_size: 2 kernel_depth: 3 stride: 2 temporal_stride: 3 bias_term: false",
        )
    ),
    Case('type: "InnerProduct" inner_product_param { num_output: 6 }', [(4, 3, 5)], [(7, 5, 3)]),
    Case(
        'type: "InnerProduct" inner_product_param { num_output: 6 axis: -1 transpose: true }',
        [(4, 3, 5)],
        [(2, 7, 5)],
    ),
    Case(
        'type: "InnerProduct" inner_product_param { num_output: 6 bias_term: false }',
        [(4, 3, 5)],
        [(7, 5, 3)],
    ),
    Case(
        f'type: "InnerProduct" inner_product_param {{ num_output: 6 axis: -1 {FILLERS} }}',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fills=[apart],
    ),
    Case(
        f'type: "InnerProduct" inner_product_param {{ num_output: 4 normalize: true {FILLERS} }}',
        [(3, 5)],
        [(2, 5)],
        fixed_params=[0, 1],
        gradient=False,
        note="of the weights the original's gradient is not the true one; test_metric.py",
    ),
    Case('type: "Embed" embed_param { num_output: 5 input_dim: 7 }', [(2, 3)], [(6, 1)], fills=[labels(7)]),
    Case(
        'type: "Embed" embed_param { num_output: 3 input_dim: 4 bias_term: false }',
        [(6,)],
        [(9,)],
        fills=[labels(4)],
    ),
    Case('type: "Embed" embed_param { num_output: 3 input_dim: 4 }', [()], fills=[labels(4)]),
    Case(
        f'type: "Embed" embed_param {{ num_output: 5 input_dim: 7 {FILLERS} }}',
        [(2, 3)],
        [(6, 1)],
        fills=[labels(7)],
    ),
]
