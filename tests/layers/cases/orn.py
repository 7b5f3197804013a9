"""Filters and channels with orientations."""

from layers.harness import Case, apart

CASES = [
    Case(
        'type: "Extend" orn_param { orientations: 4 }',
        [(2, 3, 4, 5)],
        [(3, 2, 5, 3)],
        gradient=False,
        note="has none",
    ),
    Case('type: "ORPooling" orn_param { orientations: 3 }', [(2, 6, 4, 5)], [(3, 3, 5, 2)], fills=[apart]),
    *(
        Case(
            f'type: "ORConvolution" orn_param {{ orientations: {count} }} convolution_param {{ {params} }}',
            [(2, channels, 5, 6)],
            [(3, channels, 4, 7)],
        )
        for count, channels, params in (
            (4, 8, "num_output: 12 kernel_size: 3 pad: 1"),
            (8, 8, "num_output: 16 kernel_size: 3 stride: 2 bias_term: false"),
            (
                4,
                4,
                'num_output: 8 kernel_size: 1 weight_filler { type: "gaussian" } '
                'bias_filler { type: "constant" value: 2 }',
            ),
            (
                8,
                8,
                "num_output: 8 kernel_h: 3 kernel_w: 3 pad_h: 1 pad_w: 2 stride_h: 2 stride_w: 3 dilation: 2",
            ),
        )
    ),
    Case(
        'type: "ORConvolution" orn_param { orientations: 4 } '
        "convolution_param { num_output: 8 kernel_size: 3 pad: 1 axis: 2 }",
        [(2, 3, 4, 5, 6)],
        [(3, 1, 4, 7, 5)],
    ),
]
