"""Recurrent layers."""

from __future__ import annotations

from layers.cases.shared import FILLERS
from layers.harness import Case, labels, normal, starts, unit

CASES = [
    *(
        Case(
            f'type: "ReNetLSTM" renet_lstm_param {{ num_output: 3 {params} }}',
            [(2, 4, 4, 6)],
            [(1, 4, 2, 9)],
        )
        for params in (
            "",
            "direction: Y_DIR patch_height: 2 patch_width: 3",
            'peephole: false patch_width: 3 general_weight_filler { type: "uniform" min: -0.5 max: 0.5 } '
            "general_bias_filler { value: 0.5 } forget_gate_bias_filler { value: 1 } "
            "input_gate_bias_filler { value: 2 } output_gate_bias_filler { value: 3 }",
        )
    ),
    *(
        Case(
            'type: "LSTMUnit"',
            [(1, 3, 2), (1, 3, 8), (1, 3)],
            [(1, 2, 5), (1, 2, 20), (1, 2)],
            fills=[normal, normal, cont],
            tops=2,
        )
        for cont in (labels(2), unit)
    ),
    *(
        Case(
            f'type: "{type}" recurrent_param {{ {params} }}',
            shapes,
            others,
            fills=[normal, starts],
        )
        for type in ("LSTM", "RNN")
        for params, shapes, others in (
            ("num_output: 4", [(5, 3, 2), (5, 3)], [(2, 6, 2), (2, 6)]),
            ("num_output: 4", [(2, 3, 6), (2, 3), (3, 5)], [(4, 1, 2, 3), (4, 1), (1, 5)]),
            (f"num_output: 4 {FILLERS}", [(5, 3, 2), (5, 3)], [(2, 6, 2), (2, 6)]),
            (
                "num_output: 4 lstm_additional_forget_bias: 1.5 static_input_only_start: true",
                [(4, 3, 6), (4, 3), (3, 5)],
                [(2, 1, 2, 3), (2, 1), (1, 5)],
            ),
        )
    ),
    *(
        Case(
            f'type: "{type}" recurrent_param {{ num_output: 4 expose_hidden: true }}',
            [(5, 3, 2), (5, 3), *static, *[(1, 3, 4)] * states],
            [(2, 6, 2), (2, 6), *other_static, *[(1, 6, 4)] * states],
            fills=[normal, cont],
            tops=1 + states,
            diff_tops=[0],
        )
        for type, states in (("LSTM", 2), ("RNN", 1))
        for static, other_static, cont in (([], [], labels(2)), ([(3, 7)], [(6, 7)], unit))
    ),
    *(
        Case(
            f'type: "ConvLSTM" lstm_conv_param {{ num_output: 2 {conv} }} lstm_debug_param {{ {debug} }} {exposed}',
            [(3, 2, c, 4, 5), (3, 2), *[(1, 2, 2, 4, 5)] * states],
            [(2, 2, c, 4, 5), (2, 2), *[(1, 2, 2, 4, 5)] * states],
            fills=[normal, starts],
            tops=1 + states,
            diff_tops=[0],
        )
        for conv, debug, c, states, exposed in (
            (f"kernel_size: 3 pad: 1 {FILLERS}", "", 3, 2, "recurrent_param { expose_hidden: true }"),
            (
                "kernel_size: 3 kernel_size: 1 pad: 2 pad: 0 dilation: 2 dilation: 1 bias_term: false",
                "axis_hadamard: 2 num_axes_hadamard: 1",
                3,
                2,
                "recurrent_param { expose_hidden: true }",
            ),
            ("kernel_size: 1 stride: 2 pad: 2 group: 2", "disable_hadamard: true", 4, 0, ""),
        )
    ),
]
