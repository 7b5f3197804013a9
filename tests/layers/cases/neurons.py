"""Layers that do the same to every element, PReLU, Dropout."""

from __future__ import annotations

from caffe_compat.layers.base import TEST
from layers.cases.shared import IMAGE, OTHER_IMAGE
from layers.harness import Case, apart, far, normal, positive

CASES = [
    *(
        Case(layer, [IMAGE], [OTHER_IMAGE], fills=[fill])
        for layer, fill in (
            ('type: "AbsVal"', apart),
            ('type: "BNLL"', normal),
            ('type: "Cos"', normal),
            ('type: "Clip" clip_param { min: -0.4 max: 0.7 }', apart),
            ('type: "BReLU" brelu_param { minval: -0.4 maxval: 0.7 }', apart),
            ('type: "Dropout" dropout_param { dropout_ratio: 0.4 }', apart),
            ('type: "Dropout" dropout_param { dropout_ratio: 0.4 scale_train: false }', apart),
            ('type: "ELU"', apart),
            ('type: "ELU" elu_param { alpha: 0.3 }', apart),
            ('type: "Exp"', normal),
            ('type: "Exp" exp_param { scale: -0.5 shift: 2 }', normal),
            ('type: "Exp" exp_param { base: 2 scale: 0.5 shift: 3 }', normal),
            ('type: "Log"', positive),
            ('type: "Log" log_param { base: 10 scale: 2 shift: 1 }', positive),
            ('type: "Power" power_param { scale: -2 shift: 1 }', apart),
            ('type: "Power" power_param { power: 2 scale: 0.5 shift: 3 }', apart),
            ('type: "Power" power_param { power: 3 }', apart),
            ('type: "Power" power_param { power: -1.5 scale: 2 shift: 0.25 }', positive),
            ('type: "ReLU"', apart),
            ('type: "ReLU" relu_param { negative_slope: 0.3 }', apart),
            ('type: "ReLU6"', far),
            ('type: "ReLU6" relu6_param { negative_slope: 0.3 }', far),
            ('type: "MinReLU"', apart),
            ('type: "SeLu"', apart),
            ('type: "SeLu" selu_param { lambda: 1.5 alpha: 0.7 }', apart),
            ('type: "SeLuDropout"', apart),
            ('type: "SeLuDropout" selu_dropout_param { dropout_ratio: 0.4 alpha: -1.2 }', apart),
            ('type: "SpatialDropout" dropout_param { dropout_ratio: 0.4 }', apart),
            ('type: "Sigmoid"', apart),
            ('type: "Swish"', normal),
            ('type: "Swish" swish_param { beta: 1.5 }', normal),
            ('type: "TanH"', apart),
        )
    ),
    *(
        Case(f'type: "ReLUMask" {params}', [IMAGE], [OTHER_IMAGE], fills=[apart], tops=tops, diff_tops=[0])
        for params, tops in (("", 2), ("relu_param { negative_slope: 0.3 }", 2), ("", 1))
    ),
    Case('type: "Dropout"', [IMAGE], [OTHER_IMAGE], phase=TEST),
    Case('type: "SeLuDropout"', [IMAGE], [OTHER_IMAGE], phase=TEST),
    Case('type: "SpatialDropout"', [(2, 7)], [(5, 3)], phase=TEST),
    Case('type: "Dropout" dropout_param { sample_weights_test: true }', [IMAGE], [OTHER_IMAGE], phase=TEST),
    Case(
        'type: "Truncation" truncation_param { truncation_min: -0.4 truncation_max: 0.7 }',
        [IMAGE],
        [OTHER_IMAGE],
        fills=[apart],
        gradient=False,
        note="outside, the gradient passes where it leads back; test_truncation.py",
    ),
    Case(
        'type: "Truncation" truncation_param { lower_bound: -0.4 upper_bound: 0.7 }',
        [IMAGE],
        [OTHER_IMAGE],
        fills=[apart],
    ),
    Case('type: "Dropout" dropout_param { scale_train: false }', [IMAGE], [OTHER_IMAGE], phase=TEST),
    Case(
        'type: "Power" power_param { power: 0 shift: 2 }',
        [IMAGE],
        [OTHER_IMAGE],
        gradient=False,
        note="the top is constant: the gradient is 0 everywhere",
    ),
    Case(
        'type: "Threshold" threshold_param { threshold: 0.2 }',
        [IMAGE],
        [OTHER_IMAGE],
        gradient=False,
        note="steps, forward only",
    ),
    Case('type: "PReLU"', [IMAGE], [(4, 3, 6, 8)], fills=[apart]),
    Case('type: "PReLU"', [(4, 7)], [(5, 7)], fills=[apart]),
    Case('type: "PReLU" prelu_param { channel_shared: true }', [IMAGE], [OTHER_IMAGE], fills=[apart]),
    Case(
        'type: "PReLU" prelu_param { filler { value: 0.5 } }', [(2, 3, 4, 5)], [(4, 3, 2, 5)], fills=[apart]
    ),
    *(
        Case(f'type: "{name}" {params}', [(4, 90)], [(2, 3, 7)], fills=[fill])
        for name, params, fill in (
            ("HSwish", "", apart),
            ("HardSwish", "", apart),
            ("HardSigmoid", "", apart),
            ("HardSigmoid", "hard_sigmoid_param { alpha: 0.31 beta: 0.4 }", apart),
            ("Mish", "", normal),
        )
    ),
    *(
        Case(
            f'type: "GuidedDropout" guided_dropout_param {{ {params} }}',
            [(3, 7, 2, 4), (3, 7)],
            [(5, 2), (5, 2, 1, 1)],
            phase=phase,
        )
        for params, phase in (
            ('type: "deterministic" guidance_threshold: 0.2', TEST),
            ('type: "stochastic" sigmoid_scaler: 3', TEST),
        )
    ),
    *(
        Case(
            f'type: "GuidedDropout" guided_dropout_param {{ {params} }}',
            [(3, 7, 2, 4), (3, 7)],
            [(5, 2), (5, 2, 1, 1)],
        )
        for params in (
            'type: "deterministic" guidance_threshold: 0.2',
            'type: "stochastic" sigmoid_scaler: 3',
            'type: "stochastic"',
        )
    ),
]
