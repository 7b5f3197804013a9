"""HWGQ-Net's layers."""

from __future__ import annotations

from layers.harness import Case, normal

STRAIGHT = "weights get the gradient of their signs, as in the original; hwgq/test_hwgq.py"
ANOTHERS = "the gradient is another function's; hwgq/test_hwgq.py"
CENTERS = "centers: 0.3 centers: 0.9 centers: 1.4"

CASES = [
    *(
        Case(
            f'type: "{kind}Convolution" convolution_param {{ {params} weight_filler {{ type: "gaussian" }} }} '
            f"stochastic_quantization_param {{ {sq} }}",
            [shape],
            [(3, *shape[1:-1], 4)],
            gradient=False,
            note=STRAIGHT,
        )
        for kind in ("Ternary", "StochasticBinary")
        for params, sq, shape in (
            ("num_output: 5 kernel_size: 3 bias_term: false", "", (2, 3, 4, 6)),
            ("num_output: 5 kernel_size: 3 stride: 2 pad: 1", "sq: true ratio: 40", (2, 3, 4, 6)),
            ("num_output: 4 kernel_size: 2 dilation: 2 group: 2", "sq: true", (2, 6, 5, 7)),
            (
                "num_output: 3 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 2 "
                "bias_filler { value: 0.5 }",
                "",
                (2, 3, 4, 6),
            ),
            ("num_output: 3 kernel_size: 2 axis: 2", "", (2, 3, 4, 5, 6)),
        )
    ),
    *(
        Case(
            f'type: "{kind}InnerProduct" inner_product_param {{ num_output: 5 {params} '
            f'weight_filler {{ type: "gaussian" }} }} stochastic_quantization_param {{ {sq} }}',
            [(3, 2, 4)],
            [(2, 2, 4)],
            gradient=False,
            note=STRAIGHT,
        )
        for kind in ("Ternary", "StochasticBinary")
        for params, sq in (
            ("axis: 2 bias_filler { value: 0.5 }", "sq: true"),
            ("bias_term: false", "sq: true ratio: 40"),
        )
    ),
    Case(
        "type: 'BinaryConvolution' convolution_param { num_output: 3 kernel_size: 2 axis: 2 "
        "weight_filler { type: 'gaussian' } } binary_convolution_param { use_alpha: true }",
        [(2, 3, 4, 5, 6)],
        gradient=False,
        note=STRAIGHT,
    ),
    *(
        Case(
            f'type: "BinaryConvolution" convolution_param {{ num_output: 4 {params} }} '
            f"binary_convolution_param {{ {binary} }}",
            [(2, 6, 5, 7)],
            [(3, 6, 4, 5)],
            gradient=not binary.startswith("use_alpha"),
            note=STRAIGHT,
        )
        for params, binary in (
            ("kernel_size: 3 weight_filler { type: 'gaussian' } bias_term: false", "use_alpha: true"),
            (
                "kernel_size: 3 pad: 1 stride: 2 group: 2 weight_filler { type: 'gaussian' } "
                "bias_filler { value: 0.5 }",
                "use_alpha: false",
            ),
            (
                "kernel_size: 2 dilation: 2 weight_filler { type: 'xavier' }",
                "use_binarization: false",
            ),
            (
                "kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 2 weight_filler { type: 'gaussian' }",
                "use_alpha: true",
            ),
        )
    ),
    *(
        Case(
            f'type: "BinaryInnerProduct" inner_product_param {{ num_output: 4 {params} '
            f'weight_filler {{ type: "gaussian" }} }} binary_inner_product_param {{ {binary} }}',
            [(3, 2, 5)],
            [(2, 2, 5)],
            gradient=not binary.startswith("use_alpha"),
            note=STRAIGHT,
        )
        for params, binary in (
            ("bias_term: false", "use_alpha: true"),
            ("axis: 2 bias_filler { value: 0.5 }", "use_alpha: false"),
            ("", "use_binarization: false"),
        )
    ),
    *(
        Case(
            f'type: "Quant" quant_param {{ {params} }}',
            [(3, 2, 7)],
            [(2, 5)],
            fills=[normal],
            gradient=not params.startswith(("forward_func: 'sign'", CENTERS)),
            note=ANOTHERS,
        )
        for params in (
            CENTERS,
            f"{CENTERS} negative_slope: 0.2 clip_thr: 1.1",
            "forward_func: 'sign' backward_func: 'hard_tanh' clip_thr: 0.8",
            "forward_func: 'hard_tanh' backward_func: 'hard_tanh' clip_thr: 1",
            "forward_func: 'relu' negative_slope: 0.3",
        )
    ),
]
