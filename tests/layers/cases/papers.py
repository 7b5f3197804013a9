"""Layers that the Caffes of single papers have."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.base import TEST
from layers.harness import Case, apart, far, labels, normal, rois, unit

NOT_TRUE = "the original's gradient is not the true one; test_papers.py"


def bits(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """0 or 1; the last column is all 0, so that no two rows share all columns."""
    values = rng.randint(0, 2, shape)
    values[:, -1] = 0
    return values


def pairs(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Labels of pairs: 0, 0, 1, 1, 2, 2, ..."""
    return np.arange(shape[0]).reshape(shape) // 2


def shared_runs(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Labels of classes of two examples each, one after another."""
    return 5 - np.arange(shape[0]).reshape(shape) // 2


def bit_labels(classes: int):
    """Labels of this many bits in the place of floats; some of them leave their pixel out."""

    def fill(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
        words = rng.randint(0, 1 << min(classes, 30), shape).astype(np.uint32)
        words[0, :, 0] = 0
        words[:, -1, -1, 0] |= np.uint32(1 << 31)
        return words.view(np.float32)

    return fill


def lengths(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """From 0 to 4."""
    return np.arange(shape[0]) % 5


def landmarks(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """x and y on 60 x 60 pixels, and around them."""
    return rng.uniform(-20, 80, shape)


def points(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Labels of 4 classes, most of them 255; how likely objects are; the classes 3 and 1 in the first image and 1 in
    others; weights."""
    values = rng.randint(0, 256, shape)
    values[:, 0] = np.where(
        rng.uniform(size=values[:, 0].shape) < 0.6, 255, rng.randint(0, 4, values[:, 0].shape)
    )
    listed = values[:, 2].reshape(len(values), -1)
    listed[:, 0], listed[:, 1], listed[0, :3] = 1, 0, (3, 1, 0)
    return values


CASES = [
    Case(
        'type: "OuterProduct"',
        [(2, 3), (2, 4)],
        [(5, 2, 1, 1), (5, 6)],
        gradient=False,
        note="bottom[0] gets 0, as in the original; test_long_tail.py",
    ),
    Case(
        'type: "EliwiseProduct" eliwise_product_param { axis: 2 weight_filler { type: "gaussian" std: 1 } }',
        [(2, 3, 4, 5)],
        [(4, 1, 10, 2)],
        gradient=False,
        note=NOT_TRUE,
    ),
    Case(
        'type: "EliwiseProduct" eliwise_product_param { bias_term: true bias_filler { value: 3 } }',
        [(2, 3)],
        gradient=False,
        note=NOT_TRUE,
    ),
    *(
        Case(
            f'type: "GatingInnerProduct" inner_product_param {{ num_output: 4 {params} }}',
            [(3, 8), (3, 2), (3,), (3,)],
            [(5, 8, 1), (5, 2, 1), (5, 1), (5,)],
            fills=[normal, normal, labels(1), labels(1)],
        )
        for params in ("", "bias_term: false")
    ),
    *(
        Case(
            f'type: "SoftmaxWithLossExpectation" point_supervision_param {{ {params} }}',
            [(2, 4, 3, 5), (2, 3 + (" ignore_rank: false" in params), 3, 5)],
            [(3, 4, 6, 2), (3, 3 + (" ignore_rank: false" in params), 6, 2)],
            fills=[normal, points],
        )
        for params in (
            "ignore_label: 255",
            "ignore_label: 255 ignore_rank: false",
            "ignore_label: 255 ignore_rank: false normalize_supervised: false ignore_classes: true",
            "ignore_label: 255 normalize_classes: false ignore_constraint: true ignore_objectness: true",
            "ignore_label: 255 normalize_constraint: false normalize_objectness: false ignore_location: true",
            "ignore_label: 255 ignore_location: true is_siftflow: true",
            "",
        )
    ),
    *(
        Case(
            f'type: "PredictBox" predict_box_param {{ {params} }}',
            shapes,
            [(shape[0], shape[1], 4, 2) for shape in shapes],
            fills=[unit, normal, third][: len(shapes)],
            tops=2,
        )
        for params, third, shapes in (
            ("", unit, [(1, 2, 3, 5)]),
            ("stride: 3 receptive_field: 15 positive_thresh: 0.4", unit, [(1, 2, 3, 5), (1, 4, 3, 5)]),
            ("bbreg_exp: false", unit, [(2, 2, 3, 5), (2, 4, 3, 5), (2, 2, 3, 5)]),
            ("", labels(3), [(1, 2, 3, 5), (1, 4, 3, 5), (1, 3, 3, 5)]),
        )
    ),
    *(
        Case(f'type: "SumPooling" sum_pooling_param {{ pool: SUM {params} }}', [(2, 3, 7, 5)], [(4, 2, 6, 9)])
        for params in (
            "kernel_size: 3 stride: 2",
            "kernel_h: 2 kernel_w: 3 stride_h: 3 stride_w: 1",
            "global_pooling: true",
        )
    ),
    Case(
        'type: "Division" division_param '
        "{ width: 2 height: 3 xcoord: 0 xcoord: 2 xcoord: 1 ycoord: 0 ycoord: 0 ycoord: 3 }",
        [(2, 3, 6, 5)],
        [(4, 1, 7, 8)],
        tops=3,
    ),
    Case(
        'type: "Combination" combination_param { xcoord: 0 xcoord: 3 ycoord: 1 ycoord: 2 }',
        [(2, 3, 2, 3), (2, 3, 4, 2)],
        [(3, 1, 5, 1), (3, 1, 6, 4)],
    ),
    Case('type: "GradientSilent"', [(2, 3, 4), (1,)], [(4, 2), (2, 1)]),
    *(
        Case(
            f'type: "LinearTransform" linear_transform_param {{ num_output: 4 {params} }}',
            [(3, 5, 2)],
            [(2, 5, 2)],
            gradient=not note,
            note=note,
        )
        for params, note in (
            ("", ""),
            ("axis: 2 weight_filler { type: 'xavier' }", ""),
            ("backprop: false", "what it switches off; test_papers.py"),
        )
    ),
    *(
        Case(
            f'type: "FuseInnerProduct" inner_product_param {{ num_output: 4 {params} }}',
            [(3, 5, 2)],
            [(2, 5, 2)],
            tops=2,
        )
        for params in (
            "weight_filler { type: 'xavier' } bias_filler { type: 'gaussian' }",
            "bias_term: false",
            "axis: 2",
        )
    ),
    *(
        Case(
            f'type: "SemiContrastLoss" semicontrast_loss_param {{ margin: {margin} feature_index: {index} }}',
            [(4, 3), (4, 3), (4,)],
            [(5, 2, 1, 1), (5, 2, 1, 1), (5, 1)],
            fills=[normal, normal, labels(2)],
            gradient=False,
            note=NOT_TRUE,
        )
        for margin, index in ((3, 1), (2, 0))
    ),
    *(
        Case(
            f'type: "RankingLoss" ranking_loss_param {{ {params} }}',
            [(5, 4), (5,)],
            [(3, 6, 1, 1), (3, 1)],
            fills=[apart, labels(4)],
        )
        for params in ("margin: 0.11", "margin: 0.55 trunc: true")
    ),
    Case('type: "MatrixProd"', [(4, 2, 3), (4, 3, 5)], [(2, 3, 1), (2, 1, 6)]),
    Case('type: "MatrixProd"', [(1, 4, 3), (4, 3, 5)], [(1, 2, 1), (2, 1, 6)]),
    Case('type: "Similarity"', [(4, 3, 2), (5, 6)], [(2, 7), (3, 7, 1, 1)]),
    *(
        Case(f'type: "WordSum" word_sum_param {{ num_output: 2 {params} }}', [(3, 4, 5)], [(6, 4, 5)])
        for params in (
            "bias_filler { type: 'gaussian' }",
            "bias_term: false weight_filler { type: 'xavier' }",
        )
    ),
    *(
        Case(
            f'type: "RankHardLoss" rank_param {{ {params} }}',
            [(8, 3), (8,)],
            [(4, 5, 1, 1), (4, 1)],
            fills=[normal, pairs],
            gradient=False,
            note="does not count the loss weight; test_papers.py",
        )
        for params in (
            "neg_num: 6 pair_size: 2 margin: 2",
            "neg_num: 3 pair_size: 2 hard_ratio: 0.4 rand_ratio: 0.7 margin: 4",
        )
    ),
    *(
        Case(
            f'type: "PairwiseLoss" pairwise_param {{ {params} }}',
            [(4, 3), (4, 5), (4, 3), (4, 5)],
            [(2, 6, 1), (2, 4), (2, 6, 1), (2, 4)],
            fills=[normal, bits, normal, bits],
            gradient=False,
            note=NOT_TRUE,
        )
        for params in (
            "sigmoid_param: 0.6 class_num: 3",
            "l_threshold: 0.5 continous_similarity: true",
            "l_lambda: 0",
        )
    ),
    Case('type: "QuantizationLoss"', [(4, 3)], [(2, 5, 1)], gradient=False, note=NOT_TRUE),
    *(
        Case(f'type: "ScaleTanH" scale_tanh_param {{ {params} }}', [(4, 3)], [(2, 5, 1)], phase=phase)
        for params, phase in (
            ("init_scale: 0.7 step_size: 1 gamma: 2 power: 0.5", 0),
            ("init_scale: 0.7 step_size: 1 gamma: 2 power: 0.5", TEST),
            ("", 0),
        )
    ),
    *(
        Case(
            f'type: "L2Norm" l2norm_param {{ {params} }}',
            [(4, 3, 2)],
            [(2, 5)],
            fills=[far],
            gradient=not params,
            note=params and NOT_TRUE,
        )
        for params in ("", "eps: 0.25")
    ),
    *(
        Case(
            f'type: "PSROIAlign" psroi_align_param {{ output_dim: 3 group_size: 2 {params} }}',
            [(2, 12, 7, 9), (5, 5)],
            [(3, 12, 10, 6), (4, 5)],
            fills=[normal, rois(2, 80, 100)],
            gradient=False,
            note=NOT_TRUE,
        )
        for params in ("spatial_scale: 0.1", "spatial_scale: 0.0625 sample_num: 3")
    ),
    *(
        Case(
            f'type: "ROIAveragePooling" roi_pooling_param {{ pool: AVE {params} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[normal, rois(2, 80, 110)],
        )
        for params in (
            "pooled_h: 2 pooled_w: 3 spatial_scale: 0.1",
            "pooled_h: 6 pooled_w: 4 spatial_scale: 0.0625",
        )
    ),
    Case(
        'type: "Mask"', [(1, 3, 4, 5), (1, 1, 4, 5)], [(1, 2, 6, 3), (1, 1, 6, 3)], fills=[normal, labels(2)]
    ),
    *(
        Case(
            f'type: "SmoothPooling" smooth_pooling_param {{ {params} }}',
            [(2, 3, 4, 5), *smooths],
            [(4, 3, 2, 3), *others],
            fills=[normal, unit][: 1 + len(smooths)],
            tops=2,
            diff_tops=[0],
            gradient=not note,
            note=note,
        )
        for params, smooths, others, note in (
            ("smooth_filler { value: 2 }", [], [], ""),
            ("unique_smooth: false z: 2", [], [], "a negative smoothness counts as 0.01"),
            ("has_smooth_blobs: false max_value: 3", [(2, 1)], [(4, 1, 1, 1)], ""),
            ("has_smooth_blobs: false unique_smooth: false", [(2, 3)], [(4, 3)], ""),
            ("fix_smooth: true has_smooth_blobs: false", [(2, 1)], [(4, 1)], "the smoothness has none"),
        )
    ),
    *(
        Case(
            f'type: "ROISparsePooling" roi_pooling_param {{ is_rich: 1 {params} }}',
            [(2, 3, 7, 9), (5, 5)],
            [(3, 2, 10, 6), (4, 5)],
            fills=[apart, rois(2, 80, 110)],
        )
        for params in (
            "pooled_h: 2 pooled_w: 3 spatial_scale: 0.1",
            "pooled_h: 6 pooled_w: 4 spatial_scale: 0.0625",
        )
    ),
    *(
        Case(
            f'type: "MultiROIPooling" multi_roi_pooling_param {{ top_num: 3 {params} }}',
            [(2, 4, 7, 6), (2, 3, 2)],
            [(4, 1, 5, 9), (4, 3, 2)],
            fills=[normal, landmarks],
            tops=3,
            gradient=False,
            note=NOT_TRUE,
        )
        for params in (
            "pooled_h: 3 pooled_w: 4 spatial_scale: 0.1",
            "pooled_h: 2 pooled_w: 1 spatial_scale: 0.05",
        )
    ),
    *(
        Case(
            f'type: "WeightedSoftmaxWithLoss" softmax_param {{ {params} }} loss_param {{ {loss} }}',
            shapes,
            fills=[normal, labels(3), *[normal] * (len(shapes) - 2)],
            tops=2,
            diff_tops=[0],
        )
        for params, loss, shapes in (
            ("pos_cid: 2 pos_mult: 3", "", [(2, 3, 4, 5), (2, 1, 4, 5)]),
            ("pos_mult: 0.5", "ignore_label: 2 normalize: false", [(2, 3, 4, 5), (2, 1, 4, 5)]),
            (
                "label_id: 0 label_scale: 2 label_id: 2 label_scale: 0.5 label_id: 0 label_scale: 7",
                "normalization: NONE",
                [(2, 3, 4, 5), (2, 1, 4, 5)],
            ),
            ("axis: -3", "ignore_label: 1", [(2, 3, 4, 5), (2, 1, 4, 5), (2, 1, 4, 5)]),
            ("pos_mult: 2", "normalization: PRE_FIXED pre_fixed_normalizer: 3", [(4, 3), (4,)]),
            ("axis: 2 pos_mult: 2", "", [(2, 4, 3), (2, 4)]),
        )
    ),
    Case(
        'type: "WeightedSoftmaxWithLoss"',
        [(2, 3, 4, 5), (2, 1, 4, 5), (2,)],
        [(3, 4, 5, 1), (3, 1, 5, 1), (3, 1)],
        fills=[normal, labels(3), normal],
    ),
    *(
        Case(
            f'type: "TripletSetLoss" triplet_loss_param {{ {params} }}',
            [(2 * size, 3), (2 * size,)],
            [(size, 5, 1, 1), (size, 1)],
        )
        for params, size in (
            ("losstype: 0 margin: 3", 5),
            ("losstype: 0 num_triplets: 1 margin: 40", 3),
            ("num_triplets: 2 margin: 0.5", 4),
            ("num_triplets: 2 margin: 0.5 use_pair: 0", 4),
            ("losstype: 0 margin: 3 use_pair: 1", 5),
        )
    ),
    *(
        Case(
            f'type: "MultiChannel{kind}SigmoidCrossEntropyLoss"',
            [(2, classes, 4, 3), (2, held, 4, 3)],
            [(3, classes, 2, 5), (3, held, 2, 5)],
            fills=[normal, bit_labels(classes)],
        )
        for kind, classes, held in (("", 7, 1), ("Reweighted", 5, 1), ("Reweighted", 34, 2))
    ),
    *(
        Case(
            f'type: "{type}"',
            [(4, 3), (4, 3)],
            [(2, 5, 1, 1)] * 2,
            fills=[unit, unit],
            gradient=False,
            note=NOT_TRUE,
        )
        for type in ("EvenDistLoss", "MinQuantizeLoss")
    ),
    Case(
        'type: "TransformLoss"',
        [(4, 3), (4, 3), (4,), (4,)],
        [(2, 5, 1, 1), (2, 5, 1, 1), (2, 1), (2,)],
        gradient=False,
        note=NOT_TRUE,
    ),
    Case('type: "VarLoss"', [(6, 4), (6,)], [(4, 3, 2), (4, 1)], fills=[normal, shared_runs]),
    *(
        Case(
            f'type: "SetLoss2" set_loss2_param {{ {params} }}',
            [(6, 4), (6,)],
            [(4, 3, 2), (4, 1)],
            fills=[normal, shared_runs],
        )
        for params in ("", "alpha: 9")
    ),
    *(
        Case(
            f'type: "Netvlad" netvlad_param {{ cluster_num: 3 local_dim: 4 vlad_dim: 12 {params} }}',
            [(2, 3, 5, 6), (2, 4, 5, 6)],
            [(5, 3, 2, 1), (5, 4, 2, 1)],
        )
        for params in ("", "weight_filler { type: 'gaussian' }")
    ),
    *(
        Case(f'type: "Intranorm" intranorm_param {{ {params} }}', [(3, 8, 2)], [(2, 4)])
        for params in ("", "cluster_num: 4")
    ),
    Case(
        'type: "Spfilter"',
        [(2, 3, 4, 5), (2, 6, 4, 5), (2, 1, 4, 5)],
        [(3, 2, 2, 7), (3, 1, 7, 2), (3, 14)],
        tops=2,
    ),
    Case(
        'type: "FilterSum"',
        [(2, 3, 4, 5), (2, 3)],
        [(3, 2, 6, 1), (3, 2, 1, 1)],
        gradient=False,
        note=NOT_TRUE,
    ),
    Case('type: "LinearSum"', [(2, 3, 4, 5), (2, 1, 4, 5)], [(4, 5), (4, 1)]),
    *(
        Case(
            f'type: "CosineSimilarityBatch" cosine_similarity_batch_param {{ {params} }}',
            [(5, 3), (5,)],
            [(3, 4, 1, 1), (3, 1)],
            fills=[normal, labels(2)],
            tops=2,
            diff_tops=[0],
        )
        for params in ("", "pos_label: 3.5 neg_label: -2.5")
    ),
    Case('type: "Convert"', [(3, 4, 1, 5)], [(2, 3, 1, 6)]),
    Case('type: "Convert"', [(2, 3, 4)], [(1, 2, 3)], tops=2),
    *(
        Case(
            f'type: "ReverseTime" reverse_time_param {{ {params} }}',
            [(5, 3, 2), (3,)],
            [(4, 6), (6,)],
            fills=[normal, lengths],
        )
        for params in ("", "copy_remaining: true")
    ),
    *(
        Case(
            f'type: "Sparsify" sparsify_param {{ {params} }}',
            [(4, 5)],
            [(2, 3, 6)],
            fills=[apart],
            gradient=not note,
            note=note,
        )
        for params, note in (
            ("", ""),
            ("thre: 0.055", ""),
            ("coef: 0.3 thre: 0.055", NOT_TRUE),
            ("coef: 0.3", NOT_TRUE),
        )
    ),
    *(
        Case(
            f'type: "HashingLoss" hashing_loss_param {{ {params} }}',
            [(7, 5), label_shape],
            [(4, 2, 1, 1), (4, *label_shape[1:])],
            fills=[normal, fill],
            gradient=False,
            note=NOT_TRUE,
        )
        for params, label_shape, fill in (
            ("bi_margin: 6 tradeoff: 0.3", (7,), labels(3)),
            ("bi_margin: 9", (7, 4), bits),
        )
    ),
    *(
        Case(
            f'type: "JMMDLoss" jmmd_param {{ {params} }}',
            [(4, 3), (5, 3), (4, 2), (5, 2)],
            [(2, 6, 1), (3, 6), (2, 4), (3, 4)],
            gradient=False,
            note="its value is always 0; test_papers.py",
        )
        for params in (
            "sigma: 1.5",
            "sigma: 2 kernel_num: 3 kernel_mul: 3 label_kernel_num: 2 label_kernel_mul: 1.5",
            "sigma: 2 auto_sigma: true",
        )
    ),
]
