"""One list of cases a layer type: what the contract sweep and the gradient check run over every layer."""

from __future__ import annotations

from caffe_compat.layers.base import TEST
from layers.harness import Case, apart, normal, positive

IMAGE, OTHER_IMAGE = (2, 3, 7, 5), (4, 1, 6, 8)

CASES: list[Case] = []

# ---- neurons, and layers that only move or combine data
CASES += [
    Case(layer, [IMAGE], [OTHER_IMAGE], fills=[apart])
    for layer in (
        'type: "ReLU"',
        'type: "ReLU" relu_param { negative_slope: 0.3 }',
        'type: "Sigmoid"',
        'type: "TanH"',
        'type: "Dropout" dropout_param { dropout_ratio: 0.4 }',
        'type: "Dropout" dropout_param { dropout_ratio: 0.4 scale_train: false }',
        'type: "Power" power_param { scale: -2 shift: 1 }',
        'type: "Power" power_param { power: 2 scale: 0.5 shift: 3 }',
        'type: "Power" power_param { power: 3 }',
    )
]
CASES += [
    Case('type: "Dropout"', [IMAGE], [OTHER_IMAGE], phase=TEST),
    Case('type: "Dropout" dropout_param { scale_train: false }', [IMAGE], [OTHER_IMAGE], phase=TEST),
    Case(
        'type: "Power" power_param { power: -1.5 scale: 2 shift: 0.25 }',
        [IMAGE],
        [OTHER_IMAGE],
        fills=[positive],
    ),
    Case(
        'type: "Power" power_param { power: 0 shift: 2 }',
        [IMAGE],
        [OTHER_IMAGE],
        gradient=False,
        note="the top is constant: the gradient is 0 everywhere",
    ),
    Case('type: "Split"', [IMAGE], [OTHER_IMAGE], tops=1),
    Case('type: "Split"', [IMAGE], [OTHER_IMAGE], tops=3),
    Case(
        'type: "Silence"',
        [IMAGE, (3, 2)],
        [OTHER_IMAGE, (2, 5)],
        tops=0,
        gradient=False,
        note="there is no top: the gradient is 0 everywhere",
    ),
    Case(
        'type: "DummyData" dummy_data_param { shape { dim: 2 dim: 3 } data_filler { type: "gaussian" } }', []
    ),
    Case(
        'type: "DummyData" dummy_data_param { num: 2 channels: 3 channels: 4 height: 5 width: 6 '
        'data_filler { type: "xavier" } }',
        [],
        tops=2,
    ),
    Case(
        'type: "Concat"',
        [(2, 3, 4, 5), (2, 1, 4, 5), (2, 6, 4, 5)],
        [(3, 2, 5, 4), (3, 1, 5, 4), (3, 4, 5, 4)],
    ),
    Case('type: "Concat" concat_param { axis: -1 }', [(2, 3, 4), (2, 3, 1)], [(3, 1, 2), (3, 1, 7)]),
    Case('type: "Concat" concat_param { concat_dim: 0 }', [(2, 3, 4), (5, 3, 4)], [(3, 2, 6), (1, 2, 6)]),
    Case('type: "Concat"', [(2, 3, 4)], [(3, 5, 1)]),
]
CASES += [
    Case(
        f'type: "Eltwise" eltwise_param {{ {params} }}', [(2, 3, 5)] * n, [(4, 2, 3)] * n, fills=[normal] * n
    )
    for n, params in (
        (2, "operation: PROD"),
        (3, "operation: PROD"),
        (3, "operation: PROD stable_prod_grad: false"),
        (2, "operation: SUM"),
        (3, "coeff: 1 coeff: -2 coeff: 0.5"),
        (2, "operation: MAX"),
        (4, "operation: MAX"),
    )
]
