"""Layers that the Caffes of single papers have: gradients that are not the true ones, and what is refused."""

import numpy as np
import pytest
from google.protobuf import text_format

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import computed_type, create_layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner

RNG = np.random.RandomState


def fed(layer: str, *bottoms, tops: int = 1) -> Runner:
    runner = Runner(f"type: {layer}", [np.asarray(b, np.float32) for b in bottoms], tops)
    runner.forward()
    return runner


@pytest.mark.parametrize(
    ("layer", "shapes", "tops", "message"),
    [
        ('"SumPooling" sum_pooling_param { kernel_size: 2 }', [(1, 1, 3, 3)], 1, "write a Pooling layer"),
        (
            '"SumPooling" sum_pooling_param { pool: SUM kernel_size: 2 pad: 1 }',
            [(1, 1, 3, 3)],
            1,
            "works without padding",
        ),
        (
            '"Division" division_param { width: 2 height: 2 xcoord: 2 ycoord: 0 }',
            [(1, 1, 3, 3)],
            1,
            "a tile of 2 x 2 from 0, 2 on leaves",
        ),
        (
            '"Division" division_param { width: 2 height: 2 xcoord: 0 ycoord: 0 }',
            [(1, 1, 3, 3)],
            2,
            "1 xcoord and 1 ycoord; 2 tiles",
        ),
        (
            '"Combination" combination_param { xcoord: 4 ycoord: 0 xcoord: 0 ycoord: 0 }',
            [(1, 1, 2, 2)] * 2,
            1,
            "the last bottom ends the map at 2 x 2, others at",
        ),
        ('"GradientSilent"', [(2, 3), (0,)], 1, "expected a number"),
        ('"MergeCrop"', [(2, 3, 4), (2, 5, 4)], 1, "expected as many images and channels"),
        ('"MergeCrop"', [(2, 3, 4), (2, 3, 3)], 1, "as large at least"),
        (
            '"MergeCrop" mergecrop_param { forward: true forward: true forward: true }',
            [(2, 3), (2, 3)],
            1,
            "forward is given 3 times",
        ),
        ('"GuidedDropout"', [(2, 3), (2, 3)], 1, "expected 'deterministic' or 'stochastic'"),
        (
            '"GuidedDropout" guided_dropout_param { type: "stochastic" }',
            [(2, 3, 4), (2, 4)],
            1,
            "expected N x C x ... and N x C",
        ),
        ('"HashingLoss"', [(2, 3, 4), (2,)], 1, "expected N x K and N x L"),
        ('"Mask"', [(2, 3, 4, 5), (1, 1, 4, 5)], 1, "expected 1 x C x H x W"),
        ('"SmoothPooling"', [(2, 3, 4)], 1, "expected N x C x H x W"),
        ('"SmoothPooling"', [(2, 3, 4, 5), (2, 1)], 1, "is a param with has_smooth_blobs"),
        ('"SmoothPooling" smooth_pooling_param { z: 0 }', [(2, 3, 4, 5)], 1, "must be above 0"),
        (
            '"SmoothPooling" smooth_pooling_param { has_smooth_blobs: false }',
            [(2, 3, 4, 5), (2, 3)],
            1,
            "see unique_smooth",
        ),
        ('"PredictBox"', [(1, 3, 4, 5)], 1, "expected N x 2 x H x W"),
        ('"PredictBox"', [(1, 2, 4, 5), (1, 4, 5, 4)], 1, "then N x 4 x H x W"),
        (
            '"GatingInnerProduct" inner_product_param { num_output: 2 }',
            [(2, 5), (2, 3), (2,), (2,)],
            1,
            "expected N x 6 answers",
        ),
        ('"SoftmaxWithLossExpectation"', [(1, 3, 4, 5), (1, 1, 4, 5)], 1, r"\(1, 3, 4, 5\)$"),
        ('"SemiContrastLoss"', [(2, 3), (2, 3), (2,)], 1, "feature_index is 2"),
        ('"MatrixProd"', [(2, 3, 4), (2, 5, 4)], 1, "expected B x K x M"),
        ('"Similarity"', [(2, 3), (4, 5)], 1, "of one size"),
        ('"WordSum" word_sum_param { num_output: 2 }', [(2, 3)], 1, "expected B x M x N"),
        ('"RankHardLoss" rank_param { pair_size: 2 }', [(3, 4), (3,)], 1, "pair_size 2 does not divide"),
        ('"RankHardLoss"', [(3, 4), (3,)], 1, "expected 1 and 2 at least"),
        ('"ScaleTanH" scale_tanh_param { step_size: 0 }', [(3, 4)], 1, "step_size is 0"),
        (
            '"PSROIAlign" psroi_align_param { spatial_scale: 1 output_dim: 2 group_size: 2 }',
            [(1, 7, 3, 3), (1, 5)],
            1,
            "need 8 channels",
        ),
        (
            '"MultiROIPooling" multi_roi_pooling_param { pooled_h: 2 pooled_w: 2 top_num: 3 }',
            [(1, 1, 4, 4), (1, 2, 2)],
            2,
            "the number of tops, 2",
        ),
        ('"WeightedSoftmaxWithLoss"', [(2, 3), (2,)], 1, "none of a third bottom"),
        ('"WeightedSoftmaxWithLoss" softmax_param { pos_cid: 1 }', [(2, 3), (2,), (2,)], 1, "several of"),
        ('"WeightedSoftmaxWithLoss" softmax_param { label_id: 1 }', [(2, 3), (2,)], 1, "1 label_id and 0"),
        ('"WeightedSoftmaxWithLoss"', [(2, 3, 5), (2, 5), (4,)], 1, "one weight for each of 10 labels"),
        ('"TripletSetLoss"', [(4, 3), (4,)], 1, "sets of 5"),
        ('"MultiChannelSigmoidCrossEntropyLoss"', [(2, 32, 4, 3), (2, 1, 4, 3)], 1, "31 classes at most"),
        (
            '"MultiChannelReweightedSigmoidCrossEntropyLoss"',
            [(2, 34, 4, 3), (2, 1, 4, 3)],
            1,
            r"expected \(2, 2, 4, 3\) labels",
        ),
        ('"EvenDistLoss"', [(2, 3), (2, 4)], 1, "expected the same"),
        ('"TransformLoss"', [(2, 3), (2, 3), (2,), (3,)], 1, "N weights twice"),
        (
            '"Netvlad" netvlad_param { cluster_num: 2 local_dim: 3 vlad_dim: 5 }',
            [(1, 2, 4, 4), (1, 3, 4, 4)],
            1,
            "the product of the first two",
        ),
        ('"Intranorm" intranorm_param { cluster_num: 4 }', [(2, 6)], 1, "does not divide the 6 numbers"),
        ('"Spfilter"', [(2, 3, 4, 4), (2, 15)], 1, "N x H W at last"),
        ('"CosineSimilarityBatch"', [(2, 3), (3,)], 2, "N x C, and N labels"),
        ('"Convert"', [(2, 3, 2, 4)], 1, "expected N x C x 1 x W"),
        ('"Convert"', [(2, 3)], 1, "expected N x C x 1 x W"),
        ('"ReverseTime"', [(4, 3, 2), (4,)], 1, "T x N x ... and N lengths"),
        ('"Sparsify" sparsify_param { coef: -1 }', [(4, 3)], 1, "expected 0 or more"),
        ('"JMMDLoss"', [(2, 3), (2, 3), (2, 4), (2, 4)], 1, "sigma is 0"),
        ('"JMMDLoss" jmmd_param { sigma: 1 }', [(2, 3), (2, 3), (2, 4), (3, 4)], 1, "as many predictions"),
        ('"JMMDLoss" jmmd_param { sigma: 1 }', [(2, 3), (2, 4), (2, 4), (2, 4)], 1, "examples of one size"),
        ('"JMMDLoss" jmmd_param { sigma: 1 kernel_mul: 0 }', [(2, 3)] * 4, 1, "expected 1 to 1000"),
        ('"FilterSum"', [(2, 3, 4, 4), (2, 4)], 1, "N x C x H x W, N x C"),
        ('"LinearSum"', [(2, 3, 4, 4), (2, 1, 4, 3)], 1, "N x 1 x"),
        (
            '"SoftmaxWithLoss" softmax_param { pos_mult: 2 }',
            [(2, 3), (2,)],
            1,
            "only WeightedSoftmaxWithLoss",
        ),
    ],
)
def test_what_is_wrong(layer, shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.zeros(shape) for shape in shapes], tops)


def test_the_last_of_overlapping_tiles_takes_the_gradient():
    layer = '"Division" division_param { width: 2 height: 1 xcoord: 0 ycoord: 0 xcoord: 1 ycoord: 0 }'
    runner = fed(layer, np.zeros((1, 1, 2, 4)), tops=2)
    (diff,) = runner.backward([np.full((1, 1, 1, 2), 3), np.array([5, 7]).reshape(1, 1, 1, 2)])
    np.testing.assert_array_equal(diff[0, 0], [[3, 5, 7, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(("number", "passes"), [(0, 0), (2, 1)])
def test_a_silent_gradient(number, passes):
    runner = fed('"GradientSilent"', np.ones((2, 3)), [number])
    seed = np.arange(6).reshape(2, 3) + 1
    np.testing.assert_array_equal(runner.backward([seed], [True, False])[0], seed * passes)


def test_a_linear_transform_that_does_not_hand_its_gradient_down():
    runner = fed(
        '"LinearTransform" linear_transform_param { num_output: 2 backprop: false }', np.ones((3, 4))
    )
    runner.layer.blobs[0].diff[...] = 0
    np.testing.assert_array_equal(runner.backward([np.ones((3, 2))])[0], 0)
    np.testing.assert_array_equal(runner.layer.blobs[0].diff, 3)


@pytest.mark.parametrize("index", [0, 1])
def test_images_and_texts_are_drawn_together_twice_as_fast(index):
    images, texts = RNG(3).standard_normal((2, 2, 3))
    layer = f'"SemiContrastLoss" semicontrast_loss_param {{ margin: 9 feature_index: {index} }}'
    runner = fed(layer, images, texts, [4, 7])
    image_diff, text_diff, *_ = runner.backward([0.3], [True, True, False])
    scale, want = 2 * 0.3 / 2, np.zeros((2, 3))
    for i, j in np.ndindex(2, 2):
        gap = images[i] - texts[j]
        far = np.linalg.norm(gap)
        want[i] += scale * gap * (1 if i == j else -(9 - far) / (far + 1e-4))
    np.testing.assert_allclose(image_diff, want, rtol=1e-5)
    np.testing.assert_allclose(text_diff.sum(axis=0), -index * want.sum(axis=0), rtol=1e-4, atol=1e-6)


def test_a_rank_loss_does_not_count_its_weight():
    layer = '"RankHardLoss" rank_param { neg_num: 4 pair_size: 2 margin: 2 }'
    x, labels = RNG(2).standard_normal((6, 3)), [0, 0, 1, 1, 2, 2]
    got = fed(layer, x, labels).backward([7], [True, False])[0].copy()

    def loss(at, step):
        moved = x.copy()
        moved[at] += step
        return fed(layer, moved, labels).top[0].data.item()

    slopes = [(loss(at, 1e-2) - loss(at, -1e-2)) / 2e-2 for at in np.ndindex(x.shape)]
    np.testing.assert_allclose(got.ravel(), slopes, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("continous", [False, True])
def test_the_gradient_of_pairs(continous):
    rng = RNG(5)
    codes, others = rng.standard_normal((2, 3, 2))
    labels = [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    theirs = [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    layer = (
        '"PairwiseLoss" pairwise_param { sigmoid_param: 0.5 class_num: 2 l_lambda: 3 '
        f"continous_similarity: {str(continous).lower()} }}"
    )
    runner = fed(layer, codes, labels, others, theirs)
    ours, _, their_diff, _ = runner.backward([0.7], [True, False, True, False])
    shared = np.array(labels) @ np.array(theirs).T
    similar = shared > 0
    weights = np.where(similar, 2, 1)
    slopes = 3 / weights.sum() * 2 * weights * (1 / (1 + np.exp(-0.5 * codes @ others.T)) - similar)
    if continous:
        share = shared**2 / np.outer([1, 2, 1], [1, 1, 1])
        slopes = slopes * 4 * np.where(share == 0, 0.25, share)
    for got, want in ((ours, slopes @ others), (their_diff, slopes.T @ codes)):
        want.flat[:3] *= 0.5  # as many numbers as there are images, no more
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-7)


def test_the_gradient_of_quantization():
    x = np.array([[1.5, -0.25, 0], [-3, 2, 1]])
    runner = fed('"QuantizationLoss"', x)
    want = 0.3 / 2 * np.where(x >= 0, 1, -1) * np.tanh(np.abs(x) - 1)
    np.testing.assert_allclose(runner.backward([0.3])[0], want, rtol=1e-6, atol=1e-7)


def test_the_scale_of_a_tanh_grows_and_is_kept():
    runner = fed('"ScaleTanH" scale_tanh_param { step_size: 2 gamma: 4 power: 0.5 }', [[0.2]])
    np.testing.assert_allclose(runner.top[0].data, np.tanh(0.2), rtol=1e-6)
    state = runner.layer.get_state()
    for _ in range(2):
        runner.layer.set_state(state)
        runner.forward()
        np.testing.assert_allclose(runner.top[0].data, np.tanh(0.2 * 3), rtol=1e-6)


def test_the_gradient_of_aligned_samples_stays_in_the_bin():
    layer = '"PSROIAlign" psroi_align_param { spatial_scale: 1 output_dim: 1 group_size: 1 sample_num: 1 }'
    # from 1 to 3.5: the sample lies at 2.25, between the pixels 2 and 3, both of which the bin touches
    runner = fed(layer, np.zeros((1, 1, 5, 6)), [[0, 1, 1, 2.5, 2.5]])
    (diff, *_) = runner.backward([np.full((1, 1, 1, 1), 16)], [True, False])
    want = np.zeros((5, 6))
    want[2:4, 2:4] = np.outer([12, 4], [0.75, 0.25])
    np.testing.assert_allclose(diff[0, 0], want, rtol=1e-6)


def test_the_border_leaves_no_room_for_a_sample():
    layer = '"PSROIAlign" psroi_align_param { spatial_scale: 1 output_dim: 1 group_size: 1 sample_num: 3 }'
    runner = fed(layer, np.ones((1, 1, 5, 5)), [[0, 1, 1, 6, 2]])  # samples at 2.5, 4 and 5.5 of 4 columns
    np.testing.assert_allclose(runner.top[0].data, 1 / 3, rtol=1e-6)


def test_average_pooling_of_rois_is_another_layer():
    layer = '"ROIPooling" roi_pooling_param { pooled_h: 1 pooled_w: 1 pool: '
    maps, roi = np.arange(6).reshape(1, 1, 2, 3), [[0, 0, 0, 2, 1]]
    assert fed(layer + "AVE }", maps, roi).top[0].data.item() == 2.5
    assert fed(layer + "MAX }", maps, roi).top[0].data.item() == 5


def test_all_rows_of_a_cut_hand_down_the_first_ones_gradient():
    layer = '"MultiROIPooling" multi_roi_pooling_param { pooled_h: 3 pooled_w: 2 top_num: 1 }'
    runner = fed(layer, np.zeros((1, 1, 4, 5)), [[[4, 0]]])  # rows -1 to 1, columns 3 and 4
    seed = np.arange(6).reshape(1, 1, 3, 2)
    (diff, *_) = runner.backward([seed], [True, False])
    want = np.zeros((4, 5))
    want[:2, 3:] = [2, 3]
    np.testing.assert_array_equal(diff[0, 0], want)
    with pytest.raises(LayerError, match="is not finite"):
        fed(layer, np.zeros((1, 1, 4, 5)), [[[np.nan, 0]]])


def test_a_triplet_loss_of_two_bottoms_has_sets():
    param = text_format.Parse('type: "TripletLoss" bottom: "x" bottom: "y"', LayerParameter())
    assert computed_type(create_layer(param, 0)) == "TripletSetLoss"


@pytest.mark.parametrize(("layer", "labels"), [("VarLoss", [0, 0, 1]), ("SetLoss2", [4, 4, 4])])
def test_classes_that_are_not_complete(layer, labels):
    with pytest.raises(LayerError, match=r"does not divide the batch|all labels are the same"):
        fed(f'"{layer}"', np.ones((3, 2)), labels)


@pytest.mark.parametrize(
    ("layer", "slope"),
    [
        ("EvenDistLoss", (1 - 0.5) + (0.5 - 0.5)),
        ("MinQuantizeLoss", -0.3 * 0.7 - 0.1 * 0.9 - 0.2 * 0.8 + 0.4 * 0.4),
    ],
)
def test_one_slope_for_all(layer, slope):
    x = np.array([[0.7, 0.9], [0.8, 0.4]])
    runner = fed(f'"{layer}"', x, x)
    first, second = runner.backward([3], [True, True])
    np.testing.assert_allclose(first, np.full((2, 2), 3 * slope / 4 / 2), rtol=1e-5)
    np.testing.assert_array_equal(second, -first)


def test_the_gradient_of_turned_codes_does_not_count_the_weights():
    a, b = RNG(1).standard_normal((2, 3, 2)).astype(np.float32)
    runner = fed('"TransformLoss"', a, b, [1, 2, 3], [4, 5, 6])
    first, second, *_ = runner.backward([0.5], [True, True, False, False])
    np.testing.assert_allclose(first, (a - b) * 0.5 / 3, rtol=1e-6)
    np.testing.assert_array_equal(second, -first)


def test_the_numbers_of_a_filter_sum_take_absolute_values():
    x = np.array([1, -2, 3, -4, 5, 6]).reshape(1, 2, 1, 3)
    runner = fed('"FilterSum"', x, [[2, 3]])
    below, numbers = runner.backward([np.array([1, 1, -1]).reshape(1, 1, 1, 3)], [True, True])
    np.testing.assert_array_equal(numbers, [[6, 15]])
    np.testing.assert_array_equal(below[0, :, 0], [[2, 2, -2], [3, 3, -3]])


def test_a_feature_of_zeros_is_like_no_other():
    runner = fed('"CosineSimilarityBatch"', [[0, 0], [3, 4], [6, 8]], [1, 2, 2], tops=2)
    np.testing.assert_allclose(runner.top[0].data.ravel(), [0, 0, 1])
    (diff, *_) = runner.backward([np.ones((3, 1, 1, 1)), np.zeros((3, 1, 1, 1))], [True, False])
    assert np.isfinite(diff).all()


def test_a_sequence_longer_than_the_blob():
    with pytest.raises(LayerError, match="expected 0 to 2 each"):
        fed('"ReverseTime"', np.zeros((2, 2)), [2, 3])


@pytest.mark.parametrize(("threshold", "want"), [(0, [1.5, 0.5, 1, 1.5]), (0.5, [1.5, 0.5, 0, 0])])
def test_the_gradient_of_a_sparse_top(threshold, want):
    runner = fed(f'"Sparsify" sparsify_param {{ coef: 0.5 thre: {threshold} }}', [[2, -2, 0, 0.25]])
    np.testing.assert_array_equal(runner.backward([np.ones((1, 4))])[0], [want])


def test_the_gradient_of_joint_pairs():
    rng = RNG(4)
    shapes = [(2, 3), (3, 3), (2, 2), (3, 2)]
    blobs = [rng.standard_normal(shape) for shape in shapes]
    text = "type: 'JMMDLoss' jmmd_param { sigma: 1.5 label_kernel_num: 1 kernel_num: 2 kernel_mul: 3 }"
    runner = Runner(text, blobs, dtype=np.float64)
    set_random_seed(5)
    runner.forward()
    got = [diff.copy() for diff in runner.backward([np.array(0.5)], [True] * 4)]
    gamma, draws = runner.layer.gamma, Rng(5)

    def two(count):
        first, second = draws.draw() % count, draws.draw() % count
        return [first, (second + 1) % count if first == second else second]

    chosen = [(two(2), two(3)) for _ in range(3)]

    def value(xs):
        total = 0.0
        for s, t in chosen:
            picked = [(xs[0][i], xs[2][i]) for i in s] + [(xs[1][i], xs[3][i]) for i in t]
            for sign, i, j in ((1, 0, 1), (1, 2, 3), (-1, 0, 3), (-1, 1, 2)):
                (x, u), (y, v) = picked[i], picked[j]
                of_features = sum(np.exp(-gamma * g * np.square(x - y).sum()) for g in (1 / 3, 1))
                total += sign * of_features * np.exp(-np.square(u - v).sum() / 1.5)
        return total / len(chosen)

    for k, shape in enumerate(shapes):
        for at in np.ndindex(shape):
            step = np.zeros(shape)
            step[at] = 1e-5
            moved = [[b + sign * step if i == k else b for i, b in enumerate(blobs)] for sign in (1, -1)]
            assert got[k][at] == pytest.approx(0.5 * (value(moved[0]) - value(moved[1])) / 2e-5, abs=1e-8)


def test_the_width_of_joint_kernels_stays_or_follows():
    x = RNG(1).standard_normal((4, 3, 2))
    for fixed in (True, False):
        text = f"type: 'JMMDLoss' jmmd_param {{ sigma: 1 fix_gamma: {str(fixed).lower()} }}"
        runner = Runner(text, list(x))
        runner.forward()
        before = runner.layer.gamma
        runner.feed(list(2 * x))
        runner.forward()
        assert (runner.layer.gamma == before) == fixed


def test_the_number_of_eliwise_product_learns_absolute_values():
    runner = fed(
        '"EliwiseProduct" eliwise_product_param { axis: 2 weight_filler { value: 2 } }', [[[1, -2], [3, 4]]]
    )
    runner.layer.blobs[0].diff[...] = 1
    (diff,) = runner.backward([np.array([[[1, 1], [-1, 2]]], np.float32)])
    assert runner.layer.blobs[0].diff[0] == 1 + (1 + 2 + 3 + 8)
    np.testing.assert_array_equal(diff, [[[2, 2], [-2, 4]]])


def test_experts_whose_labels_differ():
    with pytest.raises(LayerError, match="the labels of the two bottoms differ"):
        fed(
            '"GatingInnerProduct" inner_product_param { num_output: 2 }',
            np.ones((2, 6)),
            np.ones((2, 3)),
            [1, 2],
            [1, 3],
        )


def test_a_net_of_mtcnn_without_faces():
    boxes = fed('"PredictBox"', np.zeros((1, 2, 3, 4)), tops=2).top[1]
    assert boxes.shape == (1, 1, 5) and not boxes.data.any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[[0, 7]], [[0, 0]], [[0, 0]]], "there is the label 7; expected 0 to 2"),
        (
            [[[0, 255]], [[0, 0]], [[1, 2]]],
            r"classes begin with \[1, 2\]; expected some from 0 to 2, ended by 0",
        ),
        ([[[0, 255]], [[0, 0]], [[4, 0]]], r"classes begin with \[4, 0\]"),
    ],
)
def test_points_that_are_no_labels(labels, message):
    with pytest.raises(LayerError, match=message):
        fed(
            '"SoftmaxWithLossExpectation" point_supervision_param { ignore_label: 255 }',
            np.zeros((1, 3, 1, 2)),
            [labels],
        )


def test_an_roi_pooling_of_every_second_pixel_is_a_type_of_its_own():
    param = text_format.Parse(
        'name: "p" type: "ROIPooling" roi_pooling_param { pooled_h: 1 pooled_w: 1 is_rich: 1 }',
        LayerParameter(),
    )
    assert computed_type(create_layer(param, 0)) == "ROISparsePooling"


def test_a_spatial_transformer_of_one_bottom_mirrors():
    param = text_format.Parse('name: "t" type: "SpatialTransformer" bottom: "x" top: "y"', LayerParameter())
    assert computed_type(create_layer(param, 0)) == "MirrorRotate"


def test_bounds_of_a_scale_change_its_param():
    runner = fed('"Scale" scale_param { filler { value: 5 } max_value: 3 min_value: 1 }', np.ones((2, 3)))
    assert computed_type(runner.layer) == "BoundedScale"
    assert runner.layer.blobs[0].data.tolist() == runner.top[0].data[1].tolist() == [3, 3, 3]


def test_a_softmax_loss_of_three_bottoms_has_weights():
    param = text_format.Parse(
        'name: "l" type: "SoftmaxWithLoss" bottom: "x" bottom: "t" bottom: "w"', LayerParameter()
    )
    assert computed_type(create_layer(param, 0)) == "LabelWeightedSoftmaxWithLoss"
    with pytest.raises(LayerError, match="expected a weight a label"):
        fed('"LabelWeightedSoftmaxWithLoss"', np.zeros((2, 3)), [0, 1], [1, 1, 1])


def test_of_two_that_merge_each_may_be_left_out():
    small, large = np.arange(6).reshape(1, 1, 2, 3), np.arange(20, 40).reshape(1, 1, 5, 4)
    seed = np.arange(1, 13).reshape(1, 2, 2, 3)
    runner = fed('"MergeCrop" mergecrop_param { forward: true forward: false }', small, large)
    np.testing.assert_array_equal(runner.top[0].data[0], [[[0, 1, 2], [3, 4, 5]], np.zeros((2, 3))])
    diffs = runner.backward([seed])
    np.testing.assert_array_equal(diffs[0], seed[:, :1])
    assert not diffs[1].any()  # that of bottom[1] has to be asked for
    runner = fed('"MergeCrop" mergecrop_param { backward: false backward: true }', small, large)
    np.testing.assert_array_equal(runner.top[0].data[0, 1], [[24, 25, 26], [28, 29, 30]])
    diffs = runner.backward([seed])
    assert not diffs[0].any()
    np.testing.assert_array_equal(diffs[1][0, 0, 1:3, :3], seed[0, 1])
    assert diffs[1].sum() == seed[0, 1].sum()


def test_channels_that_stay_make_up_for_the_others():
    x, guidance = np.ones((3, 4, 2)), [[1, 0, -1, 2], [-1, -2, -3, 0], [1, 2, 3, 4]]
    layer = '"GuidedDropout" guided_dropout_param { type: "deterministic" guidance_threshold: 0 }'
    runner = fed(layer, x, guidance)
    want = np.repeat(np.array([[2, 0, 0, 2], [0, 0, 0, 0], [1, 1, 1, 1]])[..., None], 2, axis=2)
    np.testing.assert_array_equal(runner.top[0].data, want)
    np.testing.assert_array_equal(runner.backward([np.full((3, 4, 2), 3)], [True, False])[0], 3 * want)


def test_codes_of_pairs_have_half_the_slope():
    """Two of a kind, and one nearer than the margin; the slope of how far numbers are from 1 is a whole one."""
    codes, kinds = np.array([[2, -0.5], [1.5, 0.25], [0, -3]]), [4, 4.5, 7]
    runner = fed('"HashingLoss" hashing_loss_param { bi_margin: 11 tradeoff: 0.6 }', codes, kinds)
    # distances 0.8125, 10.25 and 12.8125, which is beyond the margin
    away = 1 + 0.5 + 0.5 + 0.75 + 1 + 2
    np.testing.assert_allclose(runner.top[0].data, (0.8125 + 0.75) / 6 + 0.6 * away / 3, rtol=1e-6)
    alike, unlike = (codes[0] - codes[1]) / 6, (codes[0] - codes[2]) / 6
    signs = np.array([[1, 1], [1, -1], [1, -1]])
    want = np.array([alike - unlike, -alike, unlike]) + 0.2 * signs
    np.testing.assert_allclose(runner.backward([2])[0], 2 * want, rtol=1e-5)
    alone = fed('"HashingLoss" hashing_loss_param { bi_margin: 11 tradeoff: 0.5 }', codes[:1], kinds[:1])
    assert alone.top[0].data == 0.75
