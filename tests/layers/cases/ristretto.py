"""Ristretto's layers."""

from __future__ import annotations

from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import Case, far

STEPS = "what is trimmed goes by steps, and has a straight gradient; ristretto/test_ristretto.py"
FILLERS = "weight_filler { type: 'gaussian' } bias_filler { value: 0.5 }"
FIXED = (
    "bw_layer_in: 4 bw_layer_out: 4 bw_params: 3 fl_layer_in: 2 fl_layer_out: 1 fl_params: 1",
    "bw_layer_in: 5 bw_layer_out: 5 bw_params: 4 fl_layer_in: 3 fl_layer_out: 2 fl_params: 2 "
    "rounding_scheme: STOCHASTIC",
)
BITS = (
    *FIXED,
    "precision: MINIFLOAT mant_bits: 2 exp_bits: 3",
    "precision: MINIFLOAT mant_bits: 0 exp_bits: 2",
    "precision: INTEGER_POWER_OF_2_WEIGHTS exp_min: -2 exp_max: 0 bw_layer_in: 5 fl_layer_in: 3",
)
OF_A_BOTTOM = (
    "bw_layer_in: 4 fl_layer_in: 2",
    "bw_layer_in: 4 fl_layer_in: -3 rounding_scheme: STOCHASTIC",
    "precision: MINIFLOAT mant_bits: 2 exp_bits: 3",
)


def filtering(type: str, params: str, shape: tuple[int, ...], bits: str, phase: int) -> Case:
    return Case(
        f"type: '{type}Ristretto' convolution_param {{ {params} }} quantization_param {{ {bits} }}",
        [shape],
        [(shape[0] + 1, *shape[1:-1], shape[-1] + 2)],
        phase=phase,
        gradient=False,
        note=STEPS,
    )


CASES = [
    *(
        filtering(kind, f"num_output: 5 kernel_size: 2 {FILLERS}", (2, 3, 4, 6), bits, phase)
        for kind in ("Convolution", "Deconvolution")
        for bits in BITS
        for phase in (TEST, TRAIN)
    ),
    *(
        filtering(kind, params, shape, FIXED[0], TEST)
        for kind in ("Convolution", "Deconvolution")
        for params, shape in (
            ("num_output: 5 kernel_size: 3 stride: 2 pad: 1 bias_term: false", (2, 3, 5, 7)),
            ("num_output: 4 kernel_size: 2 dilation: 2 group: 2", (3, 6, 5, 7)),
            (
                "num_output: 3 kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 2",
                (2, 4, 5, 6),
            ),
            ("num_output: 3 kernel_size: 2 axis: 2", (2, 3, 4, 5, 6)),
        )
    ),
    *(
        Case(
            f"type: 'FcRistretto' inner_product_param {{ num_output: 4 {params} }} quantization_param {{ {bits} }}",
            [(3, 2, 5)],
            [(2, 2, 5)],
            phase=phase,
            gradient=False,
            note=STEPS,
        )
        for params, bits, phase in (
            *((FILLERS, bits, phase) for bits in BITS for phase in (TEST, TRAIN)),
            ("axis: 2 transpose: true", FIXED[0], TEST),
            ("bias_term: false", FIXED[1], TEST),
        )
    ),
    *(
        Case(
            f"type: 'RistrettoBottom' quantization_param {{ {bits} }}",
            [(3, 2, 7)],
            [(2, 5)],
            fills=[far],
            phase=TEST,
            gradient=False,
            note=STEPS,
        )
        for bits in OF_A_BOTTOM
    ),
    *(
        Case(
            f"type: 'LRNRistretto' lrn_param {{ {params} }} quantization_param {{ precision: MINIFLOAT {bits} }}",
            [(2, 7, 3, 4)],
            [(3, 2, 4, 5)],
            gradient=False,
            note=STEPS,
        )
        for params, bits in (
            ("local_size: 3 alpha: 2 beta: 0.75", "mant_bits: 3 exp_bits: 4"),
            ("local_size: 5 alpha: 0.5 beta: 0.6 k: 1.5", "mant_bits: 5 exp_bits: 3"),
            ("local_size: 21", "mant_bits: 4 exp_bits: 5"),
        )
    ),
]
