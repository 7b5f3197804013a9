"""DetectionOutput against plain loops, and errors."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner, priors
from layers.ssd import plain_ssd

P, C, N = 37, 3, 2


def bottoms(labels=1, seed=1, num=N):
    rng = np.random.RandomState(seed)
    steps = 0.7 * rng.standard_normal((num, P * labels * 4))
    scores = rng.permutation(num * P * C).reshape(num, P * C) / (num * P * C)
    return [steps, scores, priors(rng, (1, 2, P * 4))]


def naive(arrays, **options):
    return plain_ssd.detections(*arrays, classes=C, **options)


def layer(params: str, arrays, dtype=np.float64) -> Runner:
    text = f'type: "DetectionOutput" detection_output_param {{ num_classes: {C} {params} }}'
    return Runner(text, arrays, dtype=dtype)


@pytest.mark.parametrize(
    "params, options",
    [
        ("", {}),
        ("code_type: CENTER_SIZE", {"code": "CENTER_SIZE"}),
        ("code_type: CORNER_SIZE", {"code": "CORNER_SIZE"}),
        ("code_type: CENTER_SIZE variance_encoded_in_target: true", {"code": "CENTER_SIZE", "in_target": True}),
        ("variance_encoded_in_target: true", {"in_target": True}),
        ("share_location: false", {"share": False}),
        ("share_location: false background_label_id: 1 keep_top_k: 9", {"share": False, "background": 1, "keep": 9}),
        ("background_label_id: -1", {"background": -1}),
        ("confidence_threshold: 0.75", {"least": 0.75}),
        ("nms_param { top_k: 6 }", {"top": 6}),
        ("nms_param { nms_threshold: 0.6 }", {"thresh": 0.6}),
        ("nms_param { nms_threshold: 0 }", {"thresh": 0}),
        ("nms_param { nms_threshold: 0.9 eta: 0.75 }", {"thresh": 0.9, "eta": 0.75}),
        ("keep_top_k: 7", {"keep": 7}),
        ("keep_top_k: 1000", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_against_plain_loops(params, options):
    arrays = bottoms(labels=1 if options.get("share", True) else C)
    (top,) = layer(params, arrays).forward()
    want = naive(arrays, **options)
    assert top.shape == (1, 1, len(want), 7)
    np.testing.assert_allclose(top[0, 0], want, rtol=1e-6, atol=1e-7)  # params are float32


def test_the_thresholds_make_a_difference():
    arrays = bottoms()
    options = {"thresh": 0.3}, {"thresh": 0.6}, {"thresh": 0.9, "eta": 0.75}, {"thresh": 0.9}
    counts = [len(naive(arrays, **each)) for each in options]
    assert len(set(counts)) == 4, counts


@pytest.mark.parametrize("params", ["confidence_threshold: 1", "keep_top_k: 0", "nms_param { top_k: 0 }"])
def test_no_detections(params):
    (top,) = layer(params, bottoms(num=3)).forward()
    np.testing.assert_array_equal(top, [[[[n, -1, -1, -1, -1, -1, -1] for n in range(3)]]])


def test_an_image_without_detections_has_no_row_where_another_has_some():
    arrays = bottoms()
    arrays[1][0] = 0.1
    (top,) = layer("confidence_threshold: 0.2", arrays).forward()
    assert set(top[0, 0, :, 0]) == {1}


def test_equal_scores_stay_in_the_order_of_the_priors():
    steps, _, boxes = bottoms()
    boxes[0, 0] = np.arange(P).repeat(4) * 0.1 + np.tile([0, 0, 0.05, 0.05], P)  # no overlaps
    (top,) = layer("keep_top_k: 5 nms_param { top_k: 4 }", [0 * steps, np.ones((N, P * C)), boxes]).forward()
    assert [(n, c) for n in range(N) for c in (1, 1, 1, 1, 2)] == [tuple(row) for row in top[0, 0, :, :2]]
    np.testing.assert_allclose(top[0, 0, :, 3], [0, 0.1, 0.2, 0.3, 0] * N, atol=1e-7)


def test_the_image_may_be_a_bottom():
    arrays = [*bottoms(), np.full((N, 3, 4, 5), np.nan)]
    np.testing.assert_array_equal(layer("", arrays).forward(), layer("", arrays[:3]).forward())


@pytest.mark.parametrize(
    "params, message",
    [
        (
            "nms_param { nms_threshold: -0.1 }",
            "nms_threshold is -0.1 and eta 1; expected at least 0, and up to 1",
        ),
        ("nms_param { eta: 0 }", "eta 0"),
        ("nms_param { eta: 1.1 }", "eta 1.1"),
    ],
)
def test_wrong_params(params, message):
    with pytest.raises(LayerError, match=message):
        layer(params, bottoms())


def test_no_num_classes():
    with pytest.raises(LayerError, match="names no num_classes"):
        Runner('type: "DetectionOutput"', bottoms())


def test_visualize_warns():
    with pytest.warns(UserWarning, match="visualize shows nothing here"):
        layer("visualize: true", bottoms())


@pytest.mark.parametrize(
    "index, shape, message",
    [
        (
            0,
            (N, P * 4 + 4),
            rf"bottom\[0\] has the shape \(2, 152\); expected 2 x {P * 4}, .* 4 for each of 37",
        ),
        (1, (N, P * 2), rf"bottom\[1\] has the shape \(2, 74\); expected 2 x {P * 3}, .* 3 for each of 37"),
        (1, (N + 1, P * C), r"bottom\[1\] has the shape \(3, 111\)"),
        (2, (1, 2, 4 * P + 2), r"bottom\[2\] has the shape \(1, 2, 150\); expected 1 x 2 x 4P"),
        (2, (2, 2, 4 * P), r"bottom\[2\] has the shape"),
        (2, (1, 2, 0), r"bottom\[2\] has the shape"),
    ],
)
def test_wrong_shapes(index, shape, message):
    arrays = bottoms()
    arrays[index] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        layer("", arrays)


def test_what_is_not_finite_is_no_detection_and_warns():
    arrays = bottoms()
    arrays[1][:, ::2] = np.nan
    with pytest.warns(UserWarning, match="not finite; were the weights loaded"):
        (top,) = layer("", arrays).forward()
    arrays[1][:, ::2] = -1
    (want,) = layer("confidence_threshold: -0.5", arrays).forward()
    np.testing.assert_array_equal(top, want)


def test_a_prior_without_area():
    arrays = bottoms()
    arrays[2][0, 0, 6] = arrays[2][0, 0, 4]
    layer("", arrays).forward()
    with pytest.raises(LayerError, match=r"prior 1 is \[.*\]; expected x1 < x2 and y1 < y2"):
        layer("code_type: CENTER_SIZE", arrays).forward()


def test_a_prior_in_pixels_may_have_no_area():
    params = "code_type: CENTER_SIZE variance_encoded_in_target: true "
    params += "normalized: false input_width: 30 input_height: 20"
    deltas, scores, _ = bottoms()
    rows = np.zeros((1, 1, 5 * P))
    rows[0, 0, 5 : 2 * 5] = [0, 3, 4, 15, 14]
    (top,) = layer(params, [deltas, scores, rows]).forward()
    flat = top[0, 0, :, 3] == top[0, 0, :, 5]
    assert flat.any() and not flat.all() and np.isfinite(top).all()


def test_the_states_come_behind_the_score():
    states = np.random.RandomState(7).uniform(size=(N, P, 4))
    (top,) = layer("do_state_prediction: true num_states: 4", [*bottoms(), states.reshape(N, -1)]).forward()
    np.testing.assert_allclose(top[0, 0], naive(bottoms(), states=states), rtol=1e-6, atol=1e-7)
    plain = naive(bottoms())
    np.testing.assert_allclose(np.delete(top[0, 0], range(3, 7), axis=1), plain, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("num_states: 3", (N, 4 * P), r"bottom\[3\] has the shape .* which is 3 for each of 37 priors"),
        ("num_states: 4 use_polygon: true", (N, 4 * P), "use_polygon"),
        ("num_states: 2000000000", (N, 4 * P), "num_states"),
    ],
)
def test_wrong_states(params, shape, message):
    with pytest.raises(LayerError, match=message):
        layer(f"do_state_prediction: true {params}", [*bottoms(), np.ones(shape)])


def test_soft_suppression_wants_a_theta():
    text = 'type: "DetectionOutput" detection_output_param { num_classes: 2 nms_param { soft_nms: true theta: 0 } }'
    with pytest.raises(LayerError, match="theta is 0; with soft_nms it must be above 0"):
        Runner(text, [np.zeros((1, 4)), np.zeros((1, 2)), np.zeros((1, 2, 4))])
