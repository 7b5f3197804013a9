"""One list of cases a layer type: what the contract sweep and the gradient check run over every layer."""

from __future__ import annotations

from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import (
    Case,
    apart,
    far,
    indices,
    labels,
    normal,
    objects,
    positive,
    priors,
    rois,
    starts,
    unit,
)

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

# ---- Fast R-CNN: ROIPooling, HardRoIMining
CASES += [
    Case(
        f'type: "ROIPooling" roi_pooling_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}',
        [(2, 3, 7, 9), (5, 5)],
        [(3, 2, 10, 6), (4, 5)],
        fills=[apart, rois(2, 80, 110)],  # some RoIs end outside of the map
    )
    for h, w, scale in ((2, 3, 0.1), (6, 4, 0.0625))
]
CASES += [
    Case(
        f'type: "HardRoIMining" hard_roi_mining_param {{ batch_size: 5 {params} }}',
        [(8, 3), (8, 12), (8, 5), (8,), *[(8, 12)] * 3],
        [(11, 3), (11, 12), (11, 5), (11,), *[(11, 12)] * 3],
        fills=[unit, normal, rois(2, 60, 70), labels(3)],
        tops=5,
        gradient=False,
        note="a choice of rows of which nothing takes a gradient",
    )
    for params in ("nms_thresh: 0.3", "use_nms: false")
]
# ---- Softmax, SoftmaxWithLoss, SmoothL1Loss, EuclideanLoss, Accuracy
CASES += [
    Case('type: "Softmax"', [IMAGE], [OTHER_IMAGE]),
    Case('type: "Softmax" softmax_param { axis: -1 }', [(2, 3, 5)], [(4, 1, 2)]),
    Case('type: "SoftmaxWithLoss"', [(7, 5), (7,)], [(3, 6), (3,)], fills=[normal, labels(5)]),
    Case(
        'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 }',
        [(2, 3, 4, 5), (2, 1, 4, 5)],
        [(3, 4, 5, 1), (3, 1, 5, 1)],
        fills=[normal, labels(3)],
        tops=2,
        diff_tops=[0],
    ),
    Case(
        'type: "SoftmaxWithLoss" softmax_param { axis: 2 } loss_param { normalization: BATCH_SIZE }',
        [(2, 3, 5), (2, 3)],
        [(4, 2, 6), (4, 2)],
        fills=[normal, labels(5)],
    ),
    Case('type: "SmoothL1Loss"', [(4, 6)] * 2, [(3, 8)] * 2),
    Case('type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 2 }', [(4, 3, 2)] * 4, [(5, 2, 1)] * 4),
    Case('type: "EuclideanLoss"', [(4, 6), (4, 2, 3)], [(3, 8), (3, 4, 2)]),
]
CASES += [
    Case(
        f'type: "Accuracy" accuracy_param {{ {params} }}',
        [(4, 5, 2), (4, 2)],
        [(3, 6, 7), (3, 7)],
        fills=[normal, labels(5)],
        tops=tops,
        gradient=False,
        note="counts, forward only",
    )
    for params, tops in (("top_k: 1", 1), ("top_k: 3 ignore_label: 2", 2))
]
# ---- Convolution, InnerProduct, Pooling, LRN
CASES += [
    Case(f'type: "Convolution" convolution_param {{ num_output: 6 {params} }}', [shape], [other])
    for params, shape, other in (
        ("kernel_size: 3 pad: 1 stride: 2", (2, 3, 7, 5), (4, 3, 5, 8)),
        ("kernel_size: 1 bias_term: false", (2, 3, 7, 5), (4, 3, 5, 8)),
        ("kernel_h: 2 kernel_w: 3 group: 2 dilation: 2 pad_h: 0 pad_w: 2", (2, 4, 7, 5), (3, 4, 5, 8)),
    )
]
CASES += [
    Case(
        'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 }',
        [(2, 3, 7, 5)] * 2,
        [(4, 3, 5, 8)] * 2,
        tops=2,
    ),
    Case('type: "InnerProduct" inner_product_param { num_output: 6 }', [(4, 3, 5)], [(7, 5, 3)]),
    Case(
        'type: "InnerProduct" inner_product_param { num_output: 6 axis: -1 transpose: true }',
        [(4, 3, 5)],
        [(2, 7, 5)],
    ),
]
CASES += [
    Case(f'type: "Pooling" pooling_param {{ {params} }}', [IMAGE], [OTHER_IMAGE], fills=[apart], tops=tops)
    for params, tops in (
        ("kernel_size: 3 stride: 2", 1),
        ("kernel_size: 3 stride: 2 pad: 1", 2),
        ("kernel_h: 4 kernel_w: 2 round_mode: FLOOR", 1),
        ("pool: AVE kernel_size: 3 stride: 2 pad: 1", 1),
        ("pool: AVE global_pooling: true", 1),
    )
]
CASES += [
    Case(f'type: "LRN" lrn_param {{ {params} }}', [(2, 7, 3, 5)], [(3, 2, 6, 8)])
    for params in (
        "local_size: 5 alpha: 0.5 k: 2",
        "local_size: 3 alpha: 2 beta: 0.6",
        "local_size: 3 alpha: 2 norm_region: WITHIN_CHANNEL",
    )
]
# ---- AbsVal, BNLL, Clip, ELU, Exp, Log, Swish, Threshold
CASES += [
    Case(layer, [IMAGE], [OTHER_IMAGE], fills=[fill])
    for layer, fill in (
        ('type: "AbsVal"', apart),
        ('type: "BNLL"', normal),
        ('type: "Clip" clip_param { min: -0.4 max: 0.7 }', apart),
        ('type: "ELU"', apart),
        ('type: "ELU" elu_param { alpha: 0.3 }', apart),
        ('type: "Exp"', normal),
        ('type: "Exp" exp_param { scale: -0.5 shift: 2 }', normal),
        ('type: "Exp" exp_param { base: 2 scale: 0.5 shift: 3 }', normal),
        ('type: "Log"', positive),
        ('type: "Log" log_param { base: 10 scale: 2 shift: 1 }', positive),
        ('type: "Swish"', normal),
        ('type: "Swish" swish_param { beta: 1.5 }', normal),
    )
]
CASES += [
    Case(
        'type: "Threshold" threshold_param { threshold: 0.2 }',
        [IMAGE],
        [OTHER_IMAGE],
        gradient=False,
        note="steps, forward only",
    )
]
# ---- PReLU, Bias, Scale, BatchNorm, MVN
CASES += [
    Case('type: "PReLU"', [IMAGE], [(4, 3, 6, 8)], fills=[apart]),
    Case('type: "PReLU"', [(4, 7)], [(5, 7)], fills=[apart]),
    Case('type: "PReLU" prelu_param { channel_shared: true }', [IMAGE], [OTHER_IMAGE], fills=[apart]),
]
CASES += [
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
]
CASES += [
    Case('type: "Scale" scale_param { bias_term: true }', [IMAGE], [(4, 3, 6, 8)]),
    Case('type: "Scale" scale_param { bias_term: true }', [(4, 3)], [(2, 3)]),
    Case('type: "Scale" scale_param { bias_term: true }', [(2, 3, 5), (3,)], [(4, 3, 2), (3,)]),
    Case('type: "BatchNorm"', [IMAGE], [(4, 3, 6, 8)], fixed_params=[0, 1, 2]),
    Case('type: "BatchNorm" batch_norm_param { eps: 0.1 }', [(7, 3)], [(5, 3)], fixed_params=[0, 1, 2]),
    Case('type: "BatchNorm"', [(7,)], [(5,)], fixed_params=[0, 1, 2]),
    Case('type: "BatchNorm"', [IMAGE], [(4, 3, 6, 8)], phase=TEST, fixed_params=[0, 1, 2]),
    Case('type: "MVN"', [IMAGE], [OTHER_IMAGE]),
    Case('type: "MVN" mvn_param { across_channels: true }', [IMAGE], [OTHER_IMAGE]),
    Case('type: "MVN" mvn_param { normalize_variance: false }', [IMAGE], [OTHER_IMAGE]),
    Case('type: "MVN" mvn_param { across_channels: true }', [(2, 7)], [(3, 5)]),
    Case(
        'type: "MVN" mvn_param { eps: 0.5 }',
        [IMAGE],
        [OTHER_IMAGE],
        gradient=False,
        note="Caffe's gradient takes no account of eps; test_mvn.py",
    ),
]
# ---- Reduction, Parameter, Embed
CASES += [
    Case(f'type: "Reduction" reduction_param {{ {params} }}', [(2, 3, 5)], [(4, 2, 3)])
    for params in (
        "",
        "operation: SUM axis: -1 coeff: -2",
        "operation: ASUM axis: 1 coeff: 1.5",
        "operation: SUMSQ axis: 2",
        "operation: MEAN axis: 1 coeff: 3",
    )
]
CASES += [
    Case('type: "Parameter" parameter_param { shape { dim: 2 dim: 3 dim: 5 } }', []),
    Case('type: "Embed" embed_param { num_output: 5 input_dim: 7 }', [(2, 3)], [(6, 1)], fills=[labels(7)]),
    Case(
        'type: "Embed" embed_param { num_output: 3 input_dim: 4 bias_term: false }',
        [(6,)],
        [(9,)],
        fills=[labels(4)],
    ),
]
# ---- losses: MultinomialLogistic, Hinge, Contrastive, Infogain, SigmoidCrossEntropy
CASES += [
    Case('type: "MultinomialLogisticLoss"', [(7, 5), (7,)], [(3, 6), (3, 1)], fills=[unit, labels(5)]),
    Case('type: "HingeLoss"', [(7, 5), (7,)], [(3, 6), (3, 1)], fills=[normal, labels(5)]),
    Case(
        'type: "HingeLoss" hinge_loss_param { norm: L2 }',
        [(4, 2, 3), (4,)],
        [(3, 6, 2), (3,)],
        fills=[normal, labels(6)],
    ),
]
CASES += [
    Case(
        f'type: "ContrastiveLoss" contrastive_loss_param {{ {params} }}',
        [(6, 3), (6, 3), (6,)],
        [(4, 5), (4, 5), (4,)],
        fills=[far, far, labels(2)],
    )
    for params in ("margin: 40", "margin: 800 legacy_version: true")
]
CASES += [
    Case(
        f'type: "InfogainLoss" {params}',
        [(4, 3, 2), (4, 2), (3, 3)],
        [(2, 5, 3), (2, 3), (5, 5)],
        fills=[fill, labels(3), normal],
        tops=tops,
        diff_tops=[0],
    )
    for params, fill, tops in (
        ("", unit, 1),
        ("", normal, 2),
        ("loss_param { ignore_label: 1 normalization: FULL }", normal, 1),
        ("infogain_loss_param { axis: 1 }", normal, 2),
    )
]
CASES += [
    Case(
        'type: "InfogainLoss" infogain_loss_param { axis: 2 }',
        [(4, 2, 3), (4, 2), (1, 1, 3, 3)],
        [(2, 3, 5), (2, 3), (1, 1, 5, 5)],
        fills=[normal, labels(3), normal],
    ),
]
CASES += [
    Case(
        f'type: "SigmoidCrossEntropyLoss" loss_param {{ {params} }}',
        [(4, 3, 2), (4, 3, 2)],
        [(2, 7, 1), (2, 7)],
        fills=[normal, fill],
    )
    for params, fill in (
        ("", unit),
        ("normalization: FULL", unit),
        ("ignore_label: 1 normalize: true", labels(3)),
        ("ignore_label: 0 normalization: NONE", labels(2)),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 7", unit),
    )
]
# ---- Convolution over other than two axes, Deconvolution, Im2col
CASES += [
    Case(f'type: "{type}" convolution_param {{ {params} }}', [shape], [other])
    for type, params, shape, other in (
        ("Convolution", "num_output: 4 kernel_size: 3 pad: 1 stride: 2", (2, 3, 7), (4, 3, 6)),
        ("Convolution", "num_output: 4 kernel_size: 2 dilation: 2", (2, 3, 5, 4, 6), (1, 3, 4, 7, 3)),
        ("Deconvolution", "num_output: 4 kernel_size: 3 pad: 1 stride: 2", (2, 3, 4, 5), (5, 3, 6, 2)),
        ("Deconvolution", "num_output: 4 kernel_size: 3 group: 2 dilation: 2", (3, 2, 4, 5), (1, 2, 3, 6)),
        ("Deconvolution", "num_output: 5 kernel_size: 1 bias_term: false", (3, 2, 4, 6), (1, 2, 3, 7)),
        ("Deconvolution", "num_output: 4 kernel_size: 3 stride: 2", (2, 3, 5), (4, 3, 2)),
        ("Im2col", "kernel_size: 3 pad: 1 stride: 2", IMAGE, OTHER_IMAGE),
        ("Im2col", "kernel_size: 2 dilation: 2", (2, 3, 7), (4, 5, 6)),
    )
]
# ---- Layers that move data only: Flatten, Reshape, Slice, Tile, Crop, Filter, BatchReindex, ArgMax
CASES += [
    Case('type: "Flatten"', [IMAGE], [OTHER_IMAGE]),
    Case('type: "Flatten" flatten_param { axis: 0 end_axis: -3 }', [IMAGE], [OTHER_IMAGE]),
    Case('type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 1 } }', [IMAGE], [OTHER_IMAGE]),
    Case(
        'type: "Reshape" reshape_param { shape { dim: 2 dim: -1 } axis: 1 num_axes: 1 }',
        [(3, 4, 5)],
        [(2, 6, 7)],
    ),
    Case('type: "Slice"', [(2, 6, 5)], [(3, 9, 2)], tops=3),
    Case('type: "Slice"', [(2, 3)], [(4, 1)], tops=1),
    Case(
        'type: "Slice" slice_param { axis: -1 slice_point: 2 slice_point: 3 }',
        [(2, 3, 7)],
        [(5, 1, 6)],
        tops=3,
    ),
    Case('type: "Slice" slice_param { slice_dim: 0 slice_point: 1 }', [(3, 2, 5)], [(4, 3, 1)], tops=2),
    Case('type: "Tile" tile_param { tiles: 3 }', [(2, 3, 4)], [(5, 1, 6)]),
    Case('type: "Tile" tile_param { tiles: 2 axis: -1 }', [(2, 3, 4)], [(5, 1, 6)]),
    Case('type: "Crop"', [(2, 3, 7, 6), (1, 5, 4, 2)], [(3, 2, 5, 8), (1, 4, 5, 6)]),
    Case(
        'type: "Crop" crop_param { axis: 1 offset: 1 offset: 0 offset: 2 }',
        [(2, 3, 7, 6), (5, 2, 4, 3)],
        [(3, 4, 5, 8), (1, 2, 3, 6)],
    ),
    Case(
        'type: "Filter"',
        [(5, 3), (5, 2, 4), (5,)],
        [(7, 2), (7, 3, 5), (7,)],
        fills=[normal, normal, labels(2)],
        tops=2,
    ),
    Case('type: "BatchReindex"', [(3, 4, 2), (5,)], [(4, 2, 5), (3,)], fills=[normal, labels(3)]),
]
CASES += [
    Case(
        f'type: "ArgMax" argmax_param {{ {params} }}',
        [(3, 5, 4)],
        [(2, 6, 7)],
        fills=[apart],
        gradient=False,
        note="choices, forward only",
    )
    for params in ("", "top_k: 3 out_max_val: true", "axis: 1 top_k: 2", "axis: -1 out_max_val: true")
]
# ---- Pooling STOCHASTIC, SPP
CASES += [
    Case(
        'type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }',
        [IMAGE],
        [OTHER_IMAGE],
        fills=[positive],
        phase=phase,
    )
    for phase in (TRAIN, TEST)
]
CASES += [
    Case(f'type: "SPP" spp_param {{ {params} }}', [(2, 3, 9, 7)], [(4, 1, 6, 8)], fills=[apart])
    for params in ("pyramid_height: 1", "pyramid_height: 3", "pyramid_height: 2 pool: AVE")
]
# ---- Recurrent layers
CASES += [
    Case(
        'type: "LSTMUnit"',
        [(1, 3, 2), (1, 3, 8), (1, 3)],
        [(1, 2, 5), (1, 2, 20), (1, 2)],
        fills=[normal, normal, cont],
        tops=2,
    )
    for cont in (labels(2), unit)
]
CASES += [
    Case(f'type: "{type}" recurrent_param {{ num_output: 4 }}', shapes, others, fills=[normal, starts])
    for type in ("LSTM", "RNN")
    for shapes, others in (
        ([(5, 3, 2), (5, 3)], [(2, 6, 2), (2, 6)]),
        ([(2, 3, 6), (2, 3), (3, 5)], [(4, 1, 2, 3), (4, 1), (1, 5)]),
    )
]
CASES += [
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
]

# ---- Layers of widespread forks
CASES += [
    Case(f'type: "Permute" permute_param {{ {order} }}', [(2, 3, 4, 5)], [(3, 1, 6, 2)])
    for order in ("order: 0 order: 2 order: 3 order: 1", "order: 2 order: 0", "")
]
CASES += [
    Case(
        f'type: "ShuffleChannel" shuffle_channel_param {{ group: {group} }}', [(2, 6, 3, 5)], [(3, 12, 2, 4)]
    )
    for group in (1, 2, 3)
]
CASES += [
    Case('type: "Axpy"', [(2, 3, *ones), *[(2, 3, 4, 5)] * 2], [(3, 2, *ones), *[(3, 2, 6, 1)] * 2])
    for ones in ((), (1, 1))
]
CASES += [
    Case(
        f'type: "Normalize" norm_param {{ across_spatial: {across} channel_shared: {shared} eps: 0.1 }}',
        [(2, 3, 4, 5)],
        [(4, 3, 2, 6)],
    )
    for across in ("true", "false")
    for shared in ("true", "false")
]
CASES += [
    Case(
        f'type: "PriorBox" prior_box_param {{ {params} }}',
        [(2, 3, 4, 5), (2, 1, 30, 50)],
        [(3, 2, 6, 1), (3, 4, 20, 70)],
        gradient=False,
        note="from shapes only",
    )
    for params in (
        "min_size: 7",
        "min_size: 4 min_size: 9.5 max_size: 11 max_size: 23.5 aspect_ratio: 2 aspect_ratio: 3 clip: true",
        "min_size: 6 aspect_ratio: 2 flip: false variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4",
        "min_size: 6 img_size: 40 step: 8 offset: 0.25 variance: 0.3",
        "min_size: 6 img_w: 40 img_h: 25 step_w: 8 step_h: 3",
    )
]
CASES += [
    Case(
        f'type: "DetectionOutput" detection_output_param {{ num_classes: 3 {params} }}',
        [(2, 4 * 9 * labels), (2, 3 * 9), (1, 2, 4 * 9)],
        [(4, 4 * 5 * labels), (4, 3 * 5), (1, 2, 4 * 5)],
        fills=[normal, unit, priors],
        gradient=False,
        note="a choice of boxes of which nothing takes a gradient",
    )
    for labels, params in (
        (1, ""),
        (1, "code_type: CENTER_SIZE confidence_threshold: 0.5 nms_param { nms_threshold: 0.4 top_k: 4 }"),
        (1, "code_type: CORNER_SIZE variance_encoded_in_target: true background_label_id: -1 keep_top_k: 7"),
        (3, "share_location: false background_label_id: 1 nms_param { nms_threshold: 0.9 eta: 0.7 }"),
        (1, "confidence_threshold: 1"),
    )
]
CASES += [
    Case(
        f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: 4 {params} }}',
        [(2, 4 * 13 * labels), (2, 4 * 13), (1, 2, 4 * 13), (1, 1, 6, 8)],
        [(4, 4 * 9 * labels), (4, 4 * 9), (1, 2, 4 * 9), (1, 1, 11, 8)],
        fills=[normal, normal, priors, objects(2, 4)],
    )
    for labels, params in (
        (1, "overlap_threshold: 0.3"),
        (
            1,
            "code_type: CENTER_SIZE match_type: BIPARTITE overlap_threshold: 0.1 loc_loss_type: L2 loc_weight: 2",
        ),
        (1, "code_type: CORNER_SIZE mining_type: HARD_EXAMPLE sample_size: 5 conf_loss_type: LOGISTIC"),
        (1, "mining_type: NONE ignore_cross_boundary_bbox: true use_difficult_gt: false"),
        (1, "nms_param { nms_threshold: 0.3 top_k: 9 } use_prior_for_nms: true neg_pos_ratio: 2"),
        (1, "nms_param { nms_threshold: 0.3 top_k: -1 } neg_overlap: 0.2"),
        (4, "mining_type: NONE share_location: false conf_loss_type: LOGISTIC"),
        (1, "use_prior_for_matching: false overlap_threshold: 0.2"),
        (1, "bp_inside: true overlap_threshold: 0.1"),
    )
]
CASES += [
    Case(
        f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: {classes} overlap_threshold: 0.2 {params} }} {more}',
        [(2, 4 * 13), (2, classes * 13), (1, 2, 4 * 13), (1, 1, 6, 8)],
        [(4, 4 * 9), (4, classes * 9), (1, 2, 4 * 9), (1, 1, 11, 8)],
        fills=[normal, normal, priors, objects(2, most)],
    )
    for classes, most, params, more in (
        (4, 3, "background_label_id: 3", "loss_param { normalization: FULL }"),
        (4, 4, "", "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 7 }"),
        (2, 4, "map_object_to_agnostic: true", "loss_param { normalize: false }"),
    )
]
CASES += [
    Case(
        'type: "MultiBoxLoss" multibox_loss_param { num_classes: 4 encode_variance_in_target: true }',
        [(2, 4 * 13), (2, 4 * 13), (1, 2, 4 * 13), (1, 1, 6, 8)],
        [(4, 4 * 9), (4, 4 * 9), (1, 2, 4 * 9), (1, 1, 11, 8)],
        fills=[normal, normal, priors, objects(2, 4)],
        gradient=False,
        note="Caffe's gradient leaves out the division by the variances; test_multibox_loss.py",
    )
]
# ---- Fields that the cases above leave at their defaults; test_fields.py asks for one case each at least
FILLERS = 'weight_filler { type: "xavier" } bias_filler { value: 2 }'
CASES += [
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
]
CASES += [
    Case(f'type: "Im2col" convolution_param {{ {params} }}', [shape], [other])
    for params, shape, other in (
        ("kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 stride_h: 3 stride_w: 2", IMAGE, OTHER_IMAGE),
        ("kernel_size: 2 axis: 2", (2, 5, 3, 4, 6), (1, 2, 3, 5, 4)),
    )
]
CASES += [
    Case(layer, [(2, 3, 4, 5)], [(4, 3, 2, 5)], fills=[apart], fixed_params=fixed)
    for layer, fixed in (
        ('type: "Bias" bias_param { filler { value: 2 } }', ()),
        ('type: "Scale" scale_param { bias_term: true filler { value: 3 } bias_filler { value: 2 } }', ()),
        ('type: "PReLU" prelu_param { filler { value: 0.5 } }', ()),
        ('type: "Normalize" norm_param { scale_filler { value: 20 } eps: 0.1 }', ()),
        (f'type: "InnerProduct" inner_product_param {{ num_output: 6 axis: -1 {FILLERS} }}', ()),
        ('type: "BatchNorm" batch_norm_param { moving_average_fraction: 0.5 }', (0, 1, 2)),
        ('type: "BatchNorm" batch_norm_param { use_global_stats: true }', (0, 1, 2)),
        ('type: "Pooling" pooling_param { kernel_size: 3 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 2 }', ()),
        ('type: "Pooling" pooling_param { kernel_size: 2 stride: 3 round_mode: FLOOR }', ()),
    )
]
CASES += [
    Case(
        'type: "InnerProduct" inner_product_param { num_output: 6 bias_term: false }',
        [(4, 3, 5)],
        [(7, 5, 3)],
    ),
    Case(
        f'type: "Embed" embed_param {{ num_output: 5 input_dim: 7 {FILLERS} }}',
        [(2, 3)],
        [(6, 1)],
        fills=[labels(7)],
    ),
    Case(
        'type: "Accuracy" accuracy_param { axis: 2 }',
        [(4, 2, 5), (4, 2)],
        [(3, 7, 6), (3, 7)],
        fills=[normal, labels(5)],
        gradient=False,
        note="counts, forward only",
    ),
]
CASES += [
    Case(
        f'type: "{type}" recurrent_param {{ num_output: 4 {FILLERS} }}',
        [(5, 3, 2), (5, 3)],
        [(2, 6, 2), (2, 6)],
        fills=[normal, starts],
    )
    for type in ("LSTM", "RNN")
]
CASES += [
    Case(
        f'type: "SoftmaxWithLoss" loss_param {{ {params} }}',
        [(2, 3, 4, 5), (2, 4, 5)],
        [(3, 4, 5, 1), (3, 5, 1)],
        fills=[normal, labels(3)],
    )
    for params in (
        "normalize: false",
        "normalization: BATCH_SIZE",
        "normalization: NONE",
        "normalization: FULL ignore_label: 1",
        "normalization: PRE_FIXED pre_fixed_normalizer: 7",
    )
]
CASES += [
    Case(
        f'type: "InfogainLoss" loss_param {{ {params} }}',
        [(4, 3, 2), (4, 2), (3, 3)],
        [(2, 5, 3), (2, 3), (5, 5)],
        fills=[normal, labels(3), normal],
    )
    for params in ("normalize: false", "normalization: PRE_FIXED pre_fixed_normalizer: 7")
]
CASES += [
    Case(
        f'type: "HardRoIMining" hard_roi_mining_param {{ batch_size: 7 {params} }}',
        [(19, 3), (19, 12), (19, 5), (19,), *[(19, 12)] * 3],
        [(11, 3), (11, 12), (11, 5), (11,), *[(11, 12)] * 3],
        fills=[unit, normal, rois(2, 30, 20), labels(3)],
        tops=5,
        gradient=False,
        note="a choice of rows of which nothing takes a gradient",
    )
    for params in ("nms_thresh: 0.1", "nms_thresh: 0.1 use_nms: false")
]
# ---- R-FCN, Mask R-CNN, PSPNet, MobileNet, SegNet
CASES += [
    Case(
        f'type: "PSROIPooling" psroi_pooling_param {{ {params} }}',
        [(2, channels, 7, 9), (6, 5)],
        [(3, channels, 10, 4), (4, 5)],
        fills=[normal, rois(2, 80, 110)],  # some RoIs end outside of the map
    )
    for params, channels in (
        ("spatial_scale: 0.1 output_dim: 3 group_size: 2", 12),
        ("spatial_scale: 0.0625 output_dim: 2 group_size: 3", 18),
    )
]
CASES += [
    Case(
        f'type: "ROIAlign" roi_align_param {{ pooled_h: {h} pooled_w: {w} spatial_scale: {scale} }}',
        [(2, 3, 7, 9), (5, 5)],
        [(3, 2, 10, 6), (4, 5)],
        fills=[normal, rois(2, 80, 130)],
    )
    for h, w, scale in ((2, 3, 0.1), (6, 4, 0.0625))
]
CASES += [
    Case(
        f'type: "BoxAnnotatorOHEM" box_annotator_ohem_param {{ {params} }}',
        [(9, 5), (9,), (9,), (9, 8)],
        [(7, 5, 1, 1), (7, 1, 1, 1), (7, 1, 1, 1), (7, 12, 1, 1)],
        fills=[rois(2, 60, 70), positive, labels(3)],
        tops=2,
        gradient=False,
        note="a choice of rows of which nothing takes a gradient",
    )
    for params in ("roi_per_img: 2", "roi_per_img: 3 ignore_label: 7")
]
CASES += [
    Case(
        f'type: "SoftmaxWithLossOHEM" loss_param {{ {params} }}',
        [(4, 3, 2, 5), (4, 1, 2, 5)],
        [(2, 4, 1, 1), (2,)],
        fills=[normal, labels(3)],
        tops=3,
        diff_tops=[0],
    )
    for params in (
        "ignore_label: 1",
        "normalization: PRE_FIXED pre_fixed_normalizer: 7",
        "normalization: NONE",
        "normalize: false",
    )
]
CASES += [
    Case(
        'type: "SoftmaxWithLossOHEM" softmax_param { axis: 2 }',
        [(4, 2, 3, 5), (4, 2, 5)],
        [(2, 1, 4, 6), (2, 6)],
        fills=[normal, labels(3)],
        tops=3,
        diff_tops=[0],
    )
]
CASES += [
    Case(
        f'type: "SmoothL1LossOHEM" loss_param {{ {params} }}',
        [(4, 8, 2, 3)] * bottoms,
        [(7, 5)] * bottoms,
        fills=[normal, normal, labels(2)][:bottoms],
        tops=2,
        diff_tops=[0],
    )
    for bottoms, params in (
        (2, ""),
        (3, "normalization: PRE_FIXED pre_fixed_normalizer: 7"),
        (3, "normalization: BATCH_SIZE"),
        (2, "normalize: false"),
    )
]
CASES += [
    Case(f'type: "Interp" interp_param {{ {params} }}', [(2, 3, 7, 5)], [(4, 1, 6, 8)])
    for params in (
        "zoom_factor: 3",
        "shrink_factor: 2",
        "shrink_factor: 2 zoom_factor: 3",
        "height: 4 width: 9",
        "height: 6 width: 1",
        "height: 4 width: 2 pad_beg: -1 pad_end: -2",
    )
]
CASES += [
    Case(
        f'type: "DepthwiseConvolution" convolution_param {{ num_output: 3 group: 3 {params} }}',
        [(2, 3, 7, 5)],
        [(4, 3, 5, 8)],
    )
    for params in (
        "kernel_size: 3 pad: 1 stride: 2",
        "kernel_h: 2 kernel_w: 3 pad_h: 0 pad_w: 2 dilation: 2 bias_term: false",
        f"kernel_h: 5 kernel_w: 4 pad_h: 2 pad_w: 1 stride_h: 3 stride_w: 2 {FILLERS}",
    )
]
CASES += [
    Case(
        f'type: "Upsample" upsample_param {{ {params} }}',
        [(2, 3, 4, 5), (2, 3, 4, 5)],
        [(3, 2, 6, 7), (3, 2, 6, 7)],
        fills=[normal, indices],
    )
    for params in (
        "",
        "scale: 3",
        "scale_h: 2 scale_w: 3",
        "pad_out_h: true",
        "pad_out_w: true",
        "upsample_h: 8 upsample_w: 13",
    )
]
CASES += [
    Case(
        'type: "DepthwiseConvolution" convolution_param { num_output: 3 group: 3 kernel_size: 2 axis: 2 }',
        [(2, 5, 3, 4, 6)],
        [(4, 2, 3, 5, 3)],
    )
]
# ---- Edges: axes counted from the end, dilated groups, windows in the padding, nothing but ignored labels
CASES += [
    Case(layer, shapes)
    for layer, shapes in (
        ('type: "Scale" scale_param { axis: -1 }', [(2, 3, 5), (5,)]),
        ('type: "Scale" scale_param { axis: -2 bias_term: true }', [(2, 3, 5), (3, 5)]),
        ('type: "Bias" bias_param { axis: -2 }', [(2, 3, 5), (3,)]),
        ('type: "Tile" tile_param { axis: -3 tiles: 2 }', [(2, 3, 5)]),
        ('type: "Convolution" convolution_param { num_output: 4 kernel_size: 2 axis: -3 }', [(2, 3, 5, 6)]),
        ('type: "Im2col" convolution_param { kernel_size: 2 axis: -2 }', [(2, 3, 5, 4)]),
        (
            'type: "Deconvolution" '
            "convolution_param { num_output: 6 kernel_size: 3 group: 3 stride: 2 dilation: 2 pad: 2 }",
            [(2, 9, 5, 4)],
        ),
        ('type: "Pooling" pooling_param { pool: AVE kernel_size: 4 stride: 3 pad: 3 }', [(2, 3, 7, 5)]),
        ('type: "Eltwise" eltwise_param { coeff: 0 coeff: -1 coeff: 2.5 }', [(2, 3)] * 3),
        ('type: "MVN" mvn_param { eps: 0 across_channels: true }', [(2, 3, 5)]),
    )
]
CASES += [
    Case(layer, shapes, fills=fills)
    for layer, shapes, fills in (
        ('type: "BatchReindex"', [(3, 2), (6,)], [normal, labels(3)]),
        ('type: "Embed" embed_param { num_output: 3 input_dim: 4 }', [()], [labels(4)]),
        (
            'type: "SoftmaxWithLoss" softmax_param { axis: -2 } loss_param { ignore_label: 2 }',
            [(2, 3, 5), (2, 5)],
            [normal, labels(3)],
        ),
    )
]
CASES += [
    Case(
        f'type: "{type}" loss_param {{ ignore_label: 0 normalization: VALID }}',
        shapes,
        fills=[normal, labels(1)],
        gradient=False,
        note="no label counts: the gradient is 0 everywhere",
    )
    for type, shapes in (
        ("SoftmaxWithLoss", [(2, 3, 5), (2, 5)]),
        ("SigmoidCrossEntropyLoss", [(2, 3), (2, 3)]),
        ("InfogainLoss", [(2, 3), (2,), (3, 3)]),
    )
]
