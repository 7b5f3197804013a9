"""Layers that put several bottoms together, or a bottom and a param of fewer axes, or take one apart."""

from __future__ import annotations

from caffe_compat.layers.base import TEST, TRAIN
from layers.cases.shared import IMAGE, OTHER_IMAGE
from layers.harness import Case, apart, labels, normal

CASES = [
    *(
        Case(
            f'type: "Eltwise" eltwise_param {{ {params} }}',
            [(2, 3, 5)] * n,
            [(4, 2, 3)] * n,
            fills=[normal] * n,
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
    ),
    Case('type: "Eltwise" eltwise_param { coeff: 0 coeff: -1 coeff: 2.5 }', [(2, 3)] * 3),
    *(
        Case(
            f'type: "CoeffBlobEltwise" eltwise_param {{ coeff_blob: true {params} }}',
            [*[(4, 3, 5)] * coeffs[0], coeffs],
            [*[(2, 6, 3)] * coeffs[0], (coeffs[0], *(2, 6)[: len(coeffs) - 1])],
        )
        for coeffs, params in (((2, 4), "coeff: 0.5 coeff: -2"), ((3, 4, 3), "operation: SUM"), ((1,), ""))
    ),
    *(
        Case(
            'type: "Eltwise" eltwise_param { operation: STOCHASTIC_SUM coeff: 0.9 coeff: 0.2 coeff: 0.6 coeff: 0.5 }',
            [(2, 3)] * 4,
            [(4, 2)] * 4,
            phase=phase,
        )
        for phase in (TRAIN, TEST)
    ),
    Case(
        'type: "Concat"',
        [(2, 3, 4, 5), (2, 1, 4, 5), (2, 6, 4, 5)],
        [(3, 2, 5, 4), (3, 1, 5, 4), (3, 4, 5, 4)],
    ),
    Case('type: "Concat" concat_param { axis: -1 }', [(2, 3, 4), (2, 3, 1)], [(3, 1, 2), (3, 1, 7)]),
    Case('type: "Concat" concat_param { concat_dim: 0 }', [(2, 3, 4), (5, 3, 4)], [(3, 2, 6), (1, 2, 6)]),
    Case('type: "Concat"', [(2, 3, 4)], [(3, 5, 1)]),
    Case('type: "Slice"', [(2, 6, 5)], [(3, 9, 2)], tops=3),
    Case('type: "Slice"', [(2, 3)], [(4, 1)], tops=1),
    Case(
        'type: "Slice" slice_param { axis: -1 slice_point: 2 slice_point: 3 }',
        [(2, 3, 7)],
        [(5, 1, 6)],
        tops=3,
    ),
    Case('type: "Slice" slice_param { slice_dim: 0 slice_point: 1 }', [(3, 2, 5)], [(4, 3, 1)], tops=2),
    Case('type: "Split"', [IMAGE], [OTHER_IMAGE], tops=1),
    Case('type: "Split"', [IMAGE], [OTHER_IMAGE], tops=3),
    *(
        Case(f'type: "{name}" {name.lower()}_param {{ {params} }}', shapes, others)
        for params, shapes, others in (
            ("", [IMAGE], [(4, 3, 6, 8)]),
            ("axis: 0 num_axes: 2", [(2, 3, 5)], [(2, 3, 7)]),
            ("axis: -2 num_axes: -1", [(2, 4, 3, 5)], [(6, 1, 3, 5)]),
            ("num_axes: 0", [(2, 3, 5)], [(4, 2, 3)]),
            ("", [(2, 3, 5), (3,)], [(4, 2, 6), (2,)]),
            ("axis: 1", [(2, 3, 4, 5), (3, 4)], [(3, 2, 5, 4), (2, 5)]),
            ("axis: 0", [(2, 3, 5), (2, 3, 5)], [(3, 4, 2), (3, 4, 2)]),
            ("", [(2, 3, 5), ()], [(4, 2, 6), ()]),
        )
        for name in ("Bias", "Scale")
    ),
    Case('type: "Bias" bias_param { axis: -2 }', [(2, 3, 5), (3,)]),
    Case('type: "Bias" bias_param { filler { value: 2 } }', [(2, 3, 4, 5)], [(4, 3, 2, 5)], fills=[apart]),
    Case('type: "Scale" scale_param { bias_term: true }', [IMAGE], [(4, 3, 6, 8)]),
    Case('type: "Scale" scale_param { bias_term: true }', [(4, 3)], [(2, 3)]),
    Case('type: "Scale" scale_param { bias_term: true }', [(2, 3, 5), (3,)], [(4, 3, 2), (3,)]),
    Case('type: "Scale" scale_param { axis: -1 }', [(2, 3, 5), (5,)]),
    Case('type: "Scale" scale_param { axis: -2 bias_term: true }', [(2, 3, 5), (3, 5)]),
    Case(
        'type: "Scale" scale_param { bias_term: true filler { value: 3 } bias_filler { value: 2 } }',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 5)],
        fills=[apart],
    ),
    Case(
        'type: "BoundedScale" scale_param { axis: -2 num_axes: 2 max_value: 50 }',
        [(2, 3, 4, 5)],
        [(3, 2, 4, 5)],
    ),
    *(
        Case(
            f'type: "BoundedScale" scale_param {{ {params} }}',
            [(2, 3, 4, 5)],
            [(4, 3, 2, 5)],
            gradient=not note,
            note=note,
        )
        for params, note in (
            ("min_value: -50 max_value: 50 bias_term: true", ""),
            ("min_value: 0.3", "a param on its bound has none to one side"),
            ("max_value: -0.2 filler { value: 3 }", "a param on its bound has none to one side"),
            ("max_value: 9 bias_term: true filler { value: 3 } bias_filler { value: 2 }", ""),
        )
    ),
    *(
        Case('type: "Axpy"', [(2, 3, *ones), *[(2, 3, 4, 5)] * 2], [(3, 2, *ones), *[(3, 2, 6, 1)] * 2])
        for ones in ((), (1, 1))
    ),
    Case('type: "BatchReindex"', [(3, 4, 2), (5,)], [(4, 2, 5), (3,)], fills=[normal, labels(3)]),
    Case('type: "BatchReindex"', [(3, 2), (6,)], fills=[normal, labels(3)]),
    Case(
        'type: "Filter"',
        [(5, 3), (5, 2, 4), (5,)],
        [(7, 2), (7, 3, 5), (7,)],
        fills=[normal, normal, labels(2)],
        tops=2,
    ),
    Case(
        'type: "Silence"',
        [IMAGE, (3, 2)],
        [OTHER_IMAGE, (2, 5)],
        tops=0,
        gradient=False,
        note="there is no top: the gradient is 0 everywhere",
    ),
    Case('type: "Parameter" parameter_param { shape { dim: 2 dim: 3 dim: 5 } }', []),
    *(
        Case(
            f'type: "Parameter" parameter_param {{ shape {{ dim: 3 dim: 4 }} {name} {{ type: "gaussian_unitball" }} }}',
            [],
        )
        for name in ("blob_filler", "filler")
    ),
]
