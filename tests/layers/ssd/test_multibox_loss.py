"""MultiBoxLoss against plain loops: loss, what counts, gradients; errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner, objects, priors
from layers.ssd import plain_ssd

N, P, C, G = 3, 31, 4, 7
SHAPES = [(N, 4 * P), (N, C * P), (1, 2, 4 * P), (1, 1, G, 8)]


def bottoms(labels=1, seed=10):
    rng = np.random.RandomState(seed)
    steps, scores = rng.standard_normal((N, 4 * P * labels)), 2 * rng.standard_normal((N, C * P))
    things = objects(N, C)(rng, (1, 1, G, 8))
    things[0, 0, :, 0] = [2, -1, 0, 0, 2, 2, 2]  # no object in image 1, none in one row
    return [steps, scores, priors(rng, (1, 2, 4 * P)), things]


def layer(params="", arrays=None, more="", dtype=np.float64) -> Runner:
    text = f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: {C} {params} }} {more}'
    return Runner(text, arrays or bottoms(), dtype=dtype)


OPTIONS = [
    ("", {}),
    ("code_type: CENTER_SIZE", {"code": "CENTER_SIZE"}),
    ("code_type: CORNER_SIZE", {"code": "CORNER_SIZE"}),
    ("encode_variance_in_target: true", {"in_target": True}),
    ("code_type: CENTER_SIZE encode_variance_in_target: true", {"code": "CENTER_SIZE", "in_target": True}),
    ("overlap_threshold: 0.25", {"thresh": 0.25}),
    ("overlap_threshold: 0", {"thresh": 0}),
    ("match_type: BIPARTITE", {"alone": True}),
    ("loc_loss_type: L2 loc_weight: 3", {"l2": True, "weight": 3}),
    ("conf_loss_type: LOGISTIC", {"logistic": True}),
    ("neg_pos_ratio: 1.5 neg_overlap: 0.2", {"ratio": 1.5, "below": 0.2}),
    ("use_difficult_gt: false", {"difficult": False}),
    ("use_prior_for_matching: false overlap_threshold: 0.2", {"by_prior": False, "thresh": 0.2}),
    ("ignore_cross_boundary_bbox: true overlap_threshold: 0.2", {"border": True, "thresh": 0.2}),
    ("bp_inside: true overlap_threshold: 0.2", {"inside": True, "thresh": 0.2}),
    (
        "bp_inside: true use_prior_for_matching: false overlap_threshold: 0.1",
        {"inside": True, "by_prior": False, "thresh": 0.1},
    ),
    ("mining_type: NONE", {"mining": "NONE"}),
    ("mining_type: NONE conf_loss_type: LOGISTIC", {"mining": "NONE", "logistic": True}),
    ("mining_type: NONE share_location: false", {"mining": "NONE", "share": False}),
    (
        "mining_type: NONE share_location: false use_prior_for_matching: false conf_loss_type: LOGISTIC "
        "overlap_threshold: 0.2",
        {"mining": "NONE", "share": False, "by_prior": False, "logistic": True, "thresh": 0.2},
    ),
    (
        "mining_type: NONE share_location: false use_prior_for_matching: false overlap_threshold: 0.2 bp_inside: true",
        {"mining": "NONE", "share": False, "by_prior": False, "thresh": 0.2, "inside": True},
    ),
    (
        "mining_type: HARD_EXAMPLE sample_size: 9 overlap_threshold: 0.2",
        {"mining": "HARD_EXAMPLE", "samples": 9, "thresh": 0.2},
    ),
    (
        "mining_type: HARD_EXAMPLE sample_size: 9 ignore_cross_boundary_bbox: true conf_loss_type: LOGISTIC",
        {"mining": "HARD_EXAMPLE", "samples": 9, "border": True, "logistic": True},
    ),
    ("nms_param { nms_threshold: 0.2 top_k: 12 }", {"nms": (0.2, 12)}),
    ("nms_param { nms_threshold: 0.3 top_k: -1 } use_prior_for_nms: true", {"nms": (0.3, -1), "nms_priors": True}),
    ("nms_param { nms_threshold: 0 }", {}),
    (
        "nms_param { nms_threshold: 0.6 top_k: 15 } mining_type: HARD_EXAMPLE sample_size: 6 overlap_threshold: 0.2",
        {"nms": (0.6, 15), "mining": "HARD_EXAMPLE", "samples": 6, "thresh": 0.2},
    ),
    ("do_neg_mining: true", {}),
]  # fmt: skip


@pytest.mark.parametrize("params, options", OPTIONS, ids=[params for params, _ in OPTIONS])
def test_against_plain_loops(params, options):
    arrays = bottoms(labels=1 if options.get("share", True) else C)
    runner = layer(params, arrays)
    (top,) = runner.forward()
    place, score, matches, counting = plain_ssd.multibox_loss(*arrays, C, **options)
    assert top.shape == () and matches > 1
    assert runner.layer.normalizer == matches
    assert {tuple(map(int, where)) for where in np.argwhere(runner.layer.chosen)} == counting
    np.testing.assert_allclose(top, (place + score) / matches, rtol=1e-5)  # params are float32
    for flags, want in (("false, true", score), ("true, false", place)):
        more = f"loss_param {{ normalization: NONE }} propagate_down: [{flags}, false, false]"
        np.testing.assert_allclose(layer(params, arrays, more).forward()[0], want, rtol=1e-5)


def test_every_param_makes_a_difference():
    none = {"nms_param { nms_threshold: 0 }", "do_neg_mining: true"}
    losses = [
        plain_ssd.multibox_loss(*bottoms(labels=1 if options.get("share", True) else C), C, **options)[:2]
        for params, options in OPTIONS
        if params not in none
    ]
    assert len(set(losses)) == len(OPTIONS) - len(none)


@pytest.mark.parametrize(
    "mode, divisor",
    [
        ("normalization: FULL", N * P),
        ("normalization: BATCH_SIZE", N),
        ("normalization: NONE", 1),
        ("normalize: false", N),
        ("normalization: PRE_FIXED pre_fixed_normalizer: 7", 7),
    ],
)
def test_normalization(mode, divisor):
    place, score, _, _ = plain_ssd.multibox_loss(*bottoms(), C)
    (top,) = layer(more=f"loss_param {{ {mode} }}").forward()
    np.testing.assert_allclose(top, (place + score) / divisor, rtol=1e-5)


def with_polygons(arrays):
    """TextBoxes++': 12 deltas a prior, and objects with the corners of their boxes, moved."""
    steps, scores, boxes, things = arrays
    more = np.random.RandomState(3).standard_normal((N, P, 8))
    steps = np.concatenate([steps.reshape(N, P, 4), more], axis=2).reshape(N, -1)
    corners = things[..., [3, 4, 5, 4, 5, 6, 3, 6]] + np.linspace(-0.05, 0.06, 8)
    return [steps, scores, boxes, np.concatenate([things, corners], axis=3)]


@pytest.mark.parametrize(
    "params, options",
    [
        ("", {}),
        ("bp_inside: true", {"inside": True}),
        ("mining_type: NONE loc_loss_type: L2", {"mining": "NONE", "l2": True}),
        ("mining_type: HARD_EXAMPLE sample_size: 9", {"mining": "HARD_EXAMPLE", "samples": 9}),
    ],
)
def test_polygons_against_plain_loops(params, options):
    arrays = with_polygons(bottoms())
    options = {"code": "CENTER_SIZE", "thresh": 0.2, "polygon": True, "weight": 0.01, **options}
    place, score, matches, _ = plain_ssd.multibox_loss(*arrays, C, **options)
    runner = layer(
        f"use_polygon: true code_type: CENTER_SIZE overlap_threshold: 0.2 loc_weight: 0.01 {params}", arrays
    )
    assert 0 < place / matches < 20
    np.testing.assert_allclose(runner.forward()[0], (place + score) / matches, rtol=1e-5)


def test_the_loss_of_polygons_is_20_at_most_and_its_gradient_does_not_know():
    arrays = with_polygons(bottoms())
    params = "use_polygon: true code_type: CENTER_SIZE overlap_threshold: 0.2 loc_weight: %g"
    few, many = (layer(params % weight, arrays) for weight in (1e-3, 1e3))
    (small,), (large,) = few.forward(), many.forward()
    (score,) = layer(params % 0, arrays).forward()
    assert (small - score) * 1e6 > 20
    np.testing.assert_allclose(large - score, 20, rtol=1e-6)
    one, other = (runner.backward([np.array(1.0)])[0] for runner in (few, many))
    np.testing.assert_allclose(other, one * 1e6, rtol=1e-6)
    assert np.count_nonzero(one)


def test_agnostic_objects():
    arrays = bottoms()
    arrays[1] = arrays[1][:, : 2 * P]
    params = 'type: "MultiBoxLoss" multibox_loss_param { num_classes: 2 map_object_to_agnostic: true }'
    (top,) = Runner(params, arrays, dtype=np.float64).forward()
    place, score, matches, _ = plain_ssd.multibox_loss(*arrays, 2, agnostic=True)
    np.testing.assert_allclose(top, (place + score) / matches, rtol=1e-5)


def test_the_gradient_at_the_steps_leaves_out_the_variances_as_in_caffe():
    arrays = bottoms()
    runner = layer("encode_variance_in_target: true loc_loss_type: L2", arrays)
    runner.forward()
    diff = runner.backward([np.array(2.0)])[0].reshape(N, P, 4)
    matched = np.zeros((N, P), bool)
    matched[runner.layer.localization.where[:2]] = True
    assert matched.any() and not diff[~matched].any()
    for n, p in np.argwhere(matched):
        variance = arrays[2][0, 1, 4 * p : 4 * p + 4]
        eps = 1e-6
        for i in range(4):
            loss = []
            for sign in (1, -1):
                moved = [array.copy() for array in arrays]
                moved[0][n, 4 * p + i] += sign * eps
                loss.append(layer("encode_variance_in_target: true loc_loss_type: L2", moved).forward()[0])
            slope = (loss[0] - loss[1]) / (2 * eps)
            np.testing.assert_allclose(diff[n, p, i], 2 * slope * variance[i], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("mining", ["NONE", "MAX_NEGATIVE", "HARD_EXAMPLE"])
def test_no_objects(rows, mining):
    arrays = [*bottoms()[:3], np.full((1, 1, rows, 8), -1.0)]
    runner = layer(f"mining_type: {mining}", arrays)
    (top,) = runner.forward()
    want = plain_ssd.multibox_loss(*arrays, C, mining=mining)[1]  # over 1, not over none
    np.testing.assert_allclose(top, want, rtol=1e-5)
    diffs = runner.backward([np.array(1.0)])
    assert not diffs[0].any() and diffs[1].any() == (mining == "NONE")


@pytest.mark.parametrize(
    "params, message",
    [
        (
            "mining_type: NONE do_neg_mining: true",
            "do_neg_mining is true, mining_type NONE; drop do_neg_mining",
        ),
        ("share_location: false", "mining needs share_location"),
        ("mining_type: HARD_EXAMPLE sample_size: 0", "sample_size is 0; it must be at least 1"),
        ("nms_param { nms_threshold: 0.5 }", "nms_param has no top_k"),
        ("background_label_id: 4", "background_label_id is 4; expected a class below 4"),
        ("map_object_to_agnostic: true", "map_object_to_agnostic needs num_classes 2"),
        ("use_polygon: true", "use_polygon goes with code_type: CENTER_SIZE"),
    ],
)
def test_wrong_params(params, message):
    with pytest.raises(LayerError, match=message):
        layer(params)


def test_no_num_classes():
    with pytest.raises(LayerError, match="names no num_classes"):
        Runner('type: "MultiBoxLoss"', bottoms())


@pytest.mark.parametrize(
    "index, shape, message",
    [
        (0, (N, 4 * P + 4), r"bottom\[0\] has the shape \(3, 128\)"),
        (1, (N, C * P - C), r"bottom\[1\] has the shape \(3, 120\); expected 3 x 124"),
        (1, (N - 1, C * P), "has 3 examples, .* has 2"),
        (2, (1, 4 * P), r"bottom\[2\] has the shape"),
        (3, (1, 1, G, 7), r"bottom\[3\] has the shape \(1, 1, 7, 7\); expected 1 x 1 x G x 8"),
        (3, (G, 8), r"bottom\[3\] has the shape \(7, 8\)"),
    ],
)
def test_wrong_shapes(index, shape, message):
    arrays = bottoms()
    arrays[index] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        layer("", arrays)


@pytest.mark.parametrize(
    "column, value, message",
    [
        (
            1,
            0,
            "an object of class 0 in image 2; expected classes below 4, other than the background 0, and images",
        ),
        (1, 4, "class 4"),
        (1, -1, "class -1"),
        (0, 3, "image 3; .* images below 3"),
        (0, -2, "image -2"),
        (3, np.inf, r"bottom\[3\] is not finite"),
    ],
)
def test_wrong_objects(column, value, message):
    arrays = bottoms()
    arrays[3][0, 0, 4, column] = value
    with pytest.raises(LayerError, match=message):
        layer("", arrays).forward()
