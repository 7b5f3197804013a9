"""Gradients that are not the true ones, as the original writes them; what forwards remember; and wrong params."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import computed_type
from layers.harness import Runner

X = np.random.RandomState(2).standard_normal((5, 4))
LABELS = np.array([2, 0, 2, 1, 2])


def test_the_gradient_of_centres():
    """Of each class the sum of centre - x over its examples, over 1 + their number, whatever the loss weight."""
    runner = Runner("type: 'CenterLoss' center_loss_param { num_output: 4 }", [X, LABELS], dtype=np.float64)
    centres = runner.layer.blobs[0]
    centres.data[...] = np.random.RandomState(3).standard_normal((4, 4))
    runner.forward()
    centres.diff[...] = 0
    x_diff, _ = runner.backward([np.array(0.5)], [True, False])
    want = np.zeros((4, 4))
    for c in range(4):
        mine = X[c == LABELS]
        want[c] = (centres.data[c] - mine).sum(axis=0) / (1 + len(mine))
    np.testing.assert_allclose(centres.diff, want)
    np.testing.assert_allclose(x_diff, 0.5 * (X - centres.data[LABELS]) / 5)


def test_centres_that_move():
    text = "type: 'CenterLoss' center_loss_param { cluster_num: 4 loss_weight: 0.5 alpha: 0.7 }"
    runner, centres = Runner(text, [X, LABELS], dtype=np.float64), np.zeros((4, 4))
    for _ in range(3):
        differences = X - centres[LABELS]
        np.testing.assert_allclose(runner.forward()[0], 0.5 * (differences**2).sum() / 10)
        np.testing.assert_allclose(runner.backward([np.array(3.0)], [True, False])[0], 0.5 * differences)
        for c in range(4):
            mine = differences[c == LABELS]
            centres[c] += 0.7 * 0.5 * mine.sum(axis=0) / (1 + len(mine))
    np.testing.assert_allclose(runner.layer.get_state()["centres"], centres)


def test_features_begin_at_the_axis():
    with pytest.raises(LayerError, match="expected a label for each example, and 3 features"):
        Runner("type: 'CenterLoss' center_loss_param { num_output: 4 axis: 2 }", [np.ones((5, 2, 3)), LABELS])


def test_spheres_gradient():
    """Of the own score, the factors of w and of x are divided by the root of the sum of their squares."""
    text = "type: 'MarginInnerProduct' margin_inner_product_param { num_output: 3 type: DOUBLE base: 2 "
    runner = Runner(text + "weight_filler { type: 'gaussian' } }", [X, LABELS], dtype=np.float64)
    runner.forward()
    w = runner.layer.blobs[0].data
    np.testing.assert_allclose((w**2).sum(axis=1), 1)
    seed = np.random.RandomState(4).standard_normal((5, 3))
    runner.layer.blobs[0].diff[...] = 0
    x_diff, _ = runner.backward([seed], [True, False])
    for i, label in enumerate(LABELS):
        size = np.sqrt((X[i] ** 2).sum())
        cosine = w[label] @ X[i] / size
        of_w, of_x = 4 * np.sign(cosine) * cosine, -(2 * np.sign(cosine) * cosine**2 + 1) / size
        margin = (of_w * w[label] + of_x * X[i]) / np.hypot(of_w, of_x)
        plain = sum(seed[i, c] * w[c] for c in range(3) if c != label)
        np.testing.assert_allclose(x_diff[i], plain + seed[i, label] * (margin + 2 * w[label]) / 3)
    np.testing.assert_allclose(runner.layer.blobs[0].diff, seed.T @ X)


def test_lambda_falls():
    text = "num_output: 3 type: QUADRUPLE base: 8 gamma: 1 power: 2 iteration: 1 lambda_min: 0.3"
    runner = Runner(
        f"type: 'LargeMarginInnerProduct' largemargin_inner_product_param {{ {text} }}", [X, LABELS], tops=2
    )
    assert [runner.forward()[1].item() for _ in range(4)] == pytest.approx([8 / 9, 0.5, 0.32, 0.3])
    runner.layer.set_state({"iteration": np.array(1)})
    assert runner.forward()[1].item() == pytest.approx(8 / 9)


def test_an_inner_distances_gradient():
    """sign(x) * seed where x is above the centre, but -1 where it is below."""
    text = "inner_distance_param { distance_type: 'L1' num_output: 2 }"
    runner = Runner(f"type: 'InnerDistance' {text}", [np.array([[3.0, -1.0]])], dtype=np.float64)
    runner.layer.blobs[0].data[...] = [[1, 1], [4, -2]]
    assert runner.forward()[0].tolist() == [[4, 2]]
    runner.layer.blobs[0].diff[...] = 0
    assert runner.backward([np.array([[5.0, 7.0]])])[0].tolist() == [[5 - 1, -1 + 7]]
    assert runner.layer.blobs[0].diff.tolist() == [[-1, 5], [7, -1]]


def test_centres_of_labels_only():
    centres = np.random.RandomState(3).standard_normal((3, 4))
    runner = Runner(
        "type: 'InnerDistance' inner_distance_param { update_center_only: true }",
        [X, centres, LABELS],
        dtype=np.float64,
    )
    runner.forward()
    seed = np.random.RandomState(4).standard_normal((5, 3))
    _, got, _ = runner.backward([seed], [False, True, False])
    want = np.zeros((3, 4))
    for i, label in enumerate(LABELS):
        want[label] += 2 * seed[i, label] * (centres[label] - X[i])
    np.testing.assert_allclose(got, want)


def test_adacos_goes_on_from_its_scale():
    text = "type: 'AdaCosAddmScale' adacos_add_m_scale_param { num_classes: 4 }"
    cosines = np.random.RandomState(5).uniform(-0.9, 0.9, (5, 4))
    runner = Runner(text, [cosines, LABELS], dtype=np.float64)
    scale = np.sqrt(2) * np.log(3)
    for _ in range(3):
        others = np.where(np.arange(4) == LABELS[:, None], 0, cosines)
        angle = min(np.arccos(cosines).mean(), np.pi / 4)
        scale = np.log(np.exp(scale * others).sum() / 5) / np.cos(angle)
        top = runner.forward()[0]
        np.testing.assert_allclose(top[0, 0], scale * cosines[0, 0])
        assert runner.layer.get_state()["scale"] == pytest.approx(scale)
    seed = np.ones((5, 4))
    np.testing.assert_allclose(runner.backward([seed], [True, False])[0][0, 0], scale)


def test_cosines_beyond_the_ends_and_no_class():
    cosines, labels = np.array([[1.2, 0.5], [-1.1, 0.5], [0.3, 0.1]]), np.array([0, 0, -1])
    runner = Runner("type: 'CosinAddm' cosin_add_m_param { m: 0.5 }", [cosines, labels], dtype=np.float64)
    want = [[np.cos(0.5), 0.5], [-1.1 - 0.5 * np.sin(0.5), 0.5], [0.3, 0.1]]
    np.testing.assert_allclose(runner.forward()[0], want)
    np.testing.assert_allclose(runner.backward([np.ones((3, 2))], [True, False])[0], 1)


def test_one_add_p_with_another_alpha():
    """The gradient has 1 + p where the cost has alpha + p."""
    text = "type: 'FocalLoss' focal_loss_param { type: ONEADDP alpha: 0.5 gamma: 3 }"
    runner = Runner(text, [X[:1], np.array([2])], tops=2, dtype=np.float64)
    _, prob = runner.forward()
    p = prob[0, 2]
    got = runner.backward([np.array(1.0), np.zeros((1, 4))], [True, False])[0]
    slope = 3 * (0.5 + p) ** 3 / (1 + p) * np.log(p) * p + (0.5 + p) ** 3
    np.testing.assert_allclose(got[0], slope * (prob[0] - np.eye(4)[2]))


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("type: 'Normalize' normalize_param { }", "UnitNormalize"),
        ("type: 'Normalize' softmax_param { normalize_type: 'L2' }", "UnitNormalize"),
        ("type: 'Normalize' norm_param { across_spatial: false }", "Normalize"),
        (
            "type: 'InnerProduct' inner_product_param { num_output: 2 normalize: true }",
            "NormalizedInnerProduct",
        ),
        ("type: 'InnerProduct' inner_product_param { num_output: 2 }", "InnerProduct"),
        ("type: 'Filter' filter_param { num_output: 2 }", "SelectChannels"),
    ],
)
def test_the_message_decides(text, type):
    assert computed_type(Runner(text, [X]).layer) == type


def test_the_gradient_of_norms_is_for_those_who_ask():
    seeds = [np.zeros((5, 4, 1, 1)), np.ones((5, 1, 1, 1))]
    for asks in (True, False):
        text = f"type: 'UnitNormalize' normalize_param {{ bp_norm: {str(asks).lower()} }}"
        runner = Runner(text, [X], tops=2, dtype=np.float64)
        unit = runner.forward()[0].reshape(5, 4)
        np.testing.assert_allclose(runner.backward(seeds)[0], unit if asks else 0)


@pytest.mark.parametrize(
    ("text", "bottoms", "message"),
    [
        ("'CenterLoss'", [X, LABELS], "num_output is 0"),
        ("'CenterLoss' center_loss_param { num_output: 2 }", [X, LABELS], "label 2 at "),
        ("'CosinAddm'", [X, LABELS[:3]], "bottom\\[1\\] has 3 labels"),
        ("'AdaCosAddmScale' adacos_add_m_scale_param { num_classes: 2 }", [X, LABELS], "num_classes is 2"),
        ("'FocalLoss' focal_loss_param { type: LINEAR }", [X, LABELS], "LINEAR"),
        ("'FocalLoss' focal_loss_param { gamma: -1 }", [X, LABELS], "gamma is -1"),
        ("'UnitNormalize' normalize_param { normalize_type: 'L3' }", [X], "'L3'; expected L1 or L2"),
        ("'UnitNormalize'", [X[:, 0]], "expected N x C"),
        ("'NormL2'", [X.reshape(5, 1, 1, 2, 2)], "expected 1 to 4 axes"),
        ("'InnerDistance' inner_distance_param { update_center_only: true }", [X, X], "needs three bottoms"),
        ("'InnerDistance' inner_distance_param { distance_type: 'L3' }", [X], "'L3'; expected L1 or L2"),
        ("'InnerDistance'", [X, X[:, :3]], "expected rows of 4"),
        ("'TripletLoss'", [X, X, X[:, :2]], "expected three of one shape"),
        ("'MarginInnerProduct'", [X, LABELS], "num_output is 0"),
        ("'LargeMarginInnerProduct' largemargin_inner_product_param { num_output: 2 }", [X, X], "a label for each"),
    ],
)  # fmt: skip
def test_what_is_wrong(text, bottoms, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {text}", bottoms).forward()


LIFTED = 'type: "LiftedStructSimilaritySoftmaxLoss"'


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_lifted_structures_without_others_or_pairs_cost_nothing(labels):
    runner = Runner(LIFTED, [np.random.RandomState(1).standard_normal((3, 4)), np.array(labels)])
    assert runner.forward() == [0]
    np.testing.assert_array_equal(runner.backward([np.array(1)], [True, False])[0], 0)


def test_the_same_features_twice_have_no_gradient_between_them():
    x = np.array([[1, 2], [1, 2], [3, 5], [1, 2]])
    runner = Runner(LIFTED, [x, np.array([0, 0, 1, 1])])
    runner.forward()
    diff = runner.backward([np.array(1)], [True, False])[0]
    assert np.isfinite(diff).all() and diff[0].any()


def test_lifted_structures_need_one_label_each():
    with pytest.raises(LayerError, match="expected N x K features and N labels"):
        Runner(LIFTED, [np.ones((3, 4)), np.ones((3, 2))])


def test_a_general_triplet_loss_draws_own_classes_once():
    """However many others are near, and with add_center_loss where none is."""
    distances, labels = np.float32([[1, 1.1, 0.9], [1, 5, 6]]), np.float32([0, 0])
    for params, of_far in (("", 2), ("add_center_loss: false", 0)):
        layer = f'type: "GeneralTripletLoss" general_triplet_loss_param {{ positive_weight: 2 {params} }}'
        runner = Runner(layer, [distances, labels])
        np.testing.assert_allclose(runner.forward()[0], (0.1 + 0.3) / 2, rtol=1e-6)
        diff = runner.backward([np.float32(1)], [True, False])[0]
        np.testing.assert_array_equal(diff * 2, [[2, -1, -1], [of_far, 0, 0]])


def test_kernel_loss_divides_1_by_whole_numbers():
    a, b = X[:2], X[2:4]
    runner = Runner('type: "KernelLoss"', [a, b, np.array([1, 2]), np.array([1, 0.5])], dtype=np.float64)
    near = np.exp(-np.square(a - b).sum(axis=1) / 2)
    np.testing.assert_allclose(runner.forward()[0], (near[0] - near[1]) / 2)
    for diff in runner.backward([np.array(3.0)], [True, True, False, False])[:2]:
        assert not diff.any()
    runner = Runner('type: "KernelLoss"', [a[:1], b[:1], np.array([1]), np.array([0])], dtype=np.float64)
    runner.forward()
    diffs = runner.backward([np.array(3.0)], [True, True, False, False])
    want = 3 * near[:1, None] * (a - b)[:1]
    np.testing.assert_allclose(diffs[0], want)
    np.testing.assert_allclose(diffs[1], -want)


def test_fappy_loss_in_one_bin():
    """With delta 2 there is one bin from -1 to 1: what lies above counts by how near it is to either bound."""
    layer = 'type: "FAPPYLoss" fappy_loss_param { delta: %g }'
    cosines, labels = np.array([-1.0, 0.5, -0.5]), np.array([3, 3, 1])
    runner = Runner(layer % 2, [cosines, labels], dtype=np.float64)
    # the pair of one class lies at the lower bound: all others count, from both of its examples
    np.testing.assert_allclose(runner.forward()[0], (1 + 1) / 2)
    diff, _ = runner.backward([np.array(3.0)], [True, False])
    np.testing.assert_allclose(diff, 3 / 2 * np.array([-(0.25 + 0.75) / 2, 0, 0]))
    for numbers, delta, message in (
        (cosines, 0, "delta is 0"),
        (cosines[:2], 1, "a cosine for each pair"),
        (cosines * 3, 1, "no cosines"),
    ):
        with pytest.raises(LayerError, match=message):
            Runner(layer % delta, [numbers, labels]).forward()


def test_fappy_loss_without_other_classes():
    runner = Runner('type: "FAPPYLoss"', [np.array([0.5, 0.2, 0.1]), np.array([3, 3, 3])])
    assert runner.forward()[0] == 0
    assert not runner.backward([np.array(1.0)], [True, False])[0].any()
