"""ProposalLayer: the RoIs of the original, a naive reference, the contract, errors."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.rpn.proposal import ProposalLayer
from layers.contract import CLAUSES
from layers.harness import Case, Runner, normal, unit

GOLDEN = Path(__file__).parents[2] / "golden" / "rpn" / "proposals.npz"
BOTTOMS = ("rpn_cls_prob_reshape", "rpn_bbox_pred", "im_info")
SETTINGS = ("pre_nms_top_n", "post_nms_top_n", "nms_thresh", "min_size")


def layer(param_str):
    text = param_str.replace("\n", "\\n").replace('"', '\\"')
    return (
        'type: "Python" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" '
        f'param_str: "{text}" }}'
    )


@pytest.fixture
def settings(monkeypatch):
    def give(phase, *values):
        for name, value in zip(SETTINGS, values, strict=True):
            monkeypatch.setattr(ProposalLayer, name, {phase: value})

    return give


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("case", range(4))
def test_rois_of_the_original(settings, case, phase):
    with np.load(GOLDEN) as golden:
        want = {key: golden[key] for key in golden.files if key.startswith(f"{case}:")}
    number = {"TRAIN": TRAIN, "TEST": TEST}[phase]
    settings(number, *(want[f"{case}:{phase}:RPN_{name.upper()}"].item() for name in SETTINGS))
    names = [name for name in ("rois", "scores") if f"{case}:{phase}:{name}" in want]
    bottoms = [want[f"{case}:in:{name}"] for name in BOTTOMS]
    text = layer(str(want[f"{case}:param_str"]))
    tops = Runner(text, bottoms, tops=len(names), phase=number).forward()
    for name, top in zip(names, tops, strict=True):
        assert top.shape == want[f"{case}:{phase}:{name}"].shape
        np.testing.assert_allclose(top, want[f"{case}:{phase}:{name}"], atol=1e-4, rtol=0)


def naive(prob, steps, im_info, anchors, stride, pre, post, thresh, least):
    """Boxes one by one, in plain Python."""
    found = []
    for y in range(prob.shape[2]):
        for x in range(prob.shape[3]):
            for a, anchor in enumerate(anchors):
                left, top, right, bottom = anchor + np.array([x, y, x, y]) * stride
                w, h = right - left + 1, bottom - top + 1
                dx, dy, dw, dh = steps[0, 4 * a : 4 * a + 4, y, x]
                cx, cy, nw, nh = left + w / 2 + dx * w, top + h / 2 + dy * h, w * np.exp(dw), h * np.exp(dh)
                box = np.array([cx - nw / 2, cy - nh / 2, cx + nw / 2, cy + nh / 2])
                box = np.clip(box, 0, [im_info[0, 1] - 1, im_info[0, 0] - 1] * 2)
                if min(box[2:] - box[:2]) + 1 >= least * im_info[0, 2]:
                    found.append((prob[0, len(anchors) + a, y, x], box))
    found.sort(key=lambda item: -item[0])
    kept = []
    for score, box in found[:pre]:
        if all(overlap(box, other) <= thresh for _, other in kept):
            kept.append((score, box))
    return np.array([[0, *box] for _, box in kept[:post]]), np.array([[score] for score, _ in kept[:post]])


def overlap(a, b):
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + 1
    both = size[0] * size[1] if min(size) > 0 else 0
    return both / (np.prod(a[2:] - a[:2] + 1) + np.prod(b[2:] - b[:2] + 1) - both)


SHAPES = [(1, 12, 5, 7), (1, 24, 5, 7), (1, 3)]
TEXT = layer("{'feat_stride': 8, 'scales': [1, 2]}")


def im_info(rng, shape):
    return np.array([[41.0, 53.0, 1.5]])


def inputs(seed):
    rng = np.random.RandomState(seed)
    return [rng.permutation(420).reshape(SHAPES[0]) / 420, 0.4 * normal(rng, SHAPES[1]), im_info(rng, (1, 3))]


@pytest.mark.parametrize("post", [9, 1000])
def test_against_plain_loops(settings, post):
    settings(TRAIN, 90, post, 0.6, 6)
    bottoms = inputs(4)
    runner = Runner(TEXT, bottoms, tops=2, dtype=np.float64)
    want = naive(*bottoms, runner.layer.anchors, 8, 90, post, 0.6, 6)
    for top, wanted in zip(runner.forward(), want, strict=True):
        np.testing.assert_allclose(top, wanted, atol=1e-9)


def test_normalised_deltas(settings, monkeypatch):
    """py-R-FCN's RPN_NORMALIZE_TARGETS: where the net learns, not in a test net, whose weights are un-normalised."""
    settings(TRAIN, 90, 20, 0.6, 6)
    prob, deltas, info = inputs(4)
    means, stds = np.array([0.1, -0.2, 0.05, 0.3]), np.array([0.5, 0.25, 1.5, 0.75])
    by_anchor = deltas.reshape(6, 4, 5, 7) * stds[:, None, None] + means[:, None, None]
    bottoms = [prob, by_anchor.reshape(deltas.shape), info]
    want = [top.copy() for top in Runner(TEXT, bottoms, tops=2, dtype=np.float64).forward()]
    for name, value in (("ed_deltas", {TRAIN: True, TEST: False}), ("e_means", means), ("e_stds", stds)):
        monkeypatch.setattr(ProposalLayer, f"normaliz{name}", value)
    runner = Runner(TEXT, [prob, deltas, info], tops=2, dtype=np.float64)
    before = runner.bottom[1].data.copy()
    for top, wanted in zip(runner.forward(), want, strict=True):
        np.testing.assert_allclose(top, wanted, atol=1e-9)
    np.testing.assert_array_equal(runner.bottom[1].data, before)
    settings(TEST, 90, 20, 0.6, 6)
    plain = Runner(TEXT, bottoms, tops=2, dtype=np.float64, phase=TEST).forward()
    np.testing.assert_allclose(plain[0], want[0], atol=1e-9)


def test_no_box_is_large_enough(settings):
    settings(TRAIN, 90, 9, 0.6, 1000)
    assert [top.shape for top in Runner(TEXT, inputs(4), tops=2).forward()] == [(0, 5), (0, 1)]


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_contract(clause, settings):
    settings(TRAIN, 90, 20, 0.6, 6)
    other = [(1, 12, 6, 4), (1, 24, 6, 4), (1, 3)]
    clause(Case(TEXT, SHAPES, other, fills=[unit, normal, im_info], tops=2))


@pytest.mark.parametrize(
    "index, shape, message",
    [
        (
            0,
            (1, 10, 5, 7),
            r"bottom\[0\] has the shape \(1, 10, 5, 7\); expected, for one image and 6 anchors",
        ),
        (0, (2, 12, 5, 7), r"expected, for one image and 6 anchors, \(1, 12, 5, 7\)"),
        (0, (1, 12), r"expected, for one image and 6 anchors, \(1, 12, 'height', 'width'\)"),
        (1, (1, 24, 7, 5), r"bottom\[1\] has the shape \(1, 24, 7, 5\); .* \(1, 24, 5, 7\)"),
        (2, (1, 4), r"bottom\[2\] has the shape \(1, 4\); .* \(1, 3\)"),
    ],
)
def test_wrong_shapes(index, shape, message):
    bottoms = inputs(4)
    bottoms[index] = np.zeros(shape)
    with pytest.raises(LayerError, match=message):
        Runner(TEXT, bottoms)


def test_a_net_without_weights_can_be_timed():
    bottoms = inputs(4)
    bottoms[0][0, 6:] = np.nan
    runner = Runner(TEXT, bottoms, phase=TEST)
    with pytest.warns(
        UserWarning, match=r"bottom\[0\] is not finite; boxes without a probability are left out"
    ):
        assert runner.forward()[0].shape == (0, 5)
    bottoms[2][0, 0] = np.inf
    with pytest.raises(LayerError, match=r"bottom\[2\] is not finite"):
        Runner(TEXT, bottoms, phase=TEST).forward()


def test_not_finite():
    bottoms = inputs(4)
    bottoms[1][0, 3, 2, 1] = np.nan
    with pytest.raises(LayerError, match=r"bottom\[1\] is not finite"):
        Runner(TEXT, bottoms).forward()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "feat_stride: 0",
        "feat_stride: a",
        "{scales: [2]}",
        "{feat_stride: 8, scales: []}",
        "{feat_stride: 8, scales: [a]}",
        "{feat_stride: 8, ratios: 2}",
        "{feat_stride: 8, ratios: [0]}",
        "{feat_stride: 8, allowed_border: [1]}",
    ],
)
def test_wrong_param_str(text):
    with pytest.raises(LayerError, match="expected the pixels between anchors"):
        Runner(layer(text), inputs(4))


def test_ratios_of_param_str(settings):
    settings(TRAIN, 90, 20, 0.6, 6)
    text = layer("{'feat_stride': 8, 'scales': [2], 'ratios': [0.25, 1, 4]}")
    rng = np.random.RandomState(3)
    bottoms = [
        rng.permutation(210).reshape(1, 6, 5, 7) / 210,
        0.4 * normal(rng, (1, 12, 5, 7)),
        im_info(rng, (1, 3)),
    ]
    runner = Runner(text, bottoms, tops=2, dtype=np.float64)
    sides = runner.layer.anchors[:, 2:] - runner.layer.anchors[:, :2] + 1
    np.testing.assert_array_equal(sides, [[64, 16], [32, 32], [16, 64]])
    want = naive(*bottoms, runner.layer.anchors, 8, 90, 20, 0.6, 6)
    for top, wanted in zip(runner.forward(), want, strict=True):
        np.testing.assert_allclose(top, wanted, atol=1e-9)


def test_a_key_that_nobody_reads_is_an_error():
    with pytest.raises(
        LayerError, match=r"param_str has anchor_scales, which .* feat_stride, ratios, scales, allo"
    ):
        Runner(layer("{feat_stride: 8, anchor_scales: [2]}"), inputs(4))
