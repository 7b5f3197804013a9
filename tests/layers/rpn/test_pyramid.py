"""The layers of unsky's FPN: anchors of five levels, RoIs of four."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from caffe_compat.layers.rpn.pyramid_anchor_target import PyramidAnchorTargetLayer
from caffe_compat.layers.rpn.pyramid_proposal import PyramidProposalLayer
from caffe_compat.layers.rpn.pyramid_proposal_target import (
    ProposalMergeRcnnTargetLayer,
    PyramidProposalTargetLayer,
)
from caffe_compat.layers.rpn.pyramid_rois import AsRoisLayer, AsRoisMergeRcnnLayer
from layers.contract import CLAUSES
from layers.harness import Case, Runner, normal, parse, unit
from layers.rpn.test_proposal import overlap

STRIDES = (4, 8, 16, 32, 64)
SIZES = [(8, 13), (4, 7), (2, 4), (1, 2), (1, 1)]  # of an image of 32 x 52, padded
OTHER_SIZES = [(11, 9), (6, 5), (3, 3), (2, 2), (1, 1)]
STRIDE_TEXT = "'feat_stride': 4,8,16,32,64"


def layer(module: str, name: str, param_str: str = "") -> str:
    return (
        f'type: "Python" python_param {{ module: "rpn.{module}" layer: "{name}" param_str: "{param_str}" }}'
    )


def im_info(rng, shape):
    return np.array([[32.0, 52.0, 0.5]])


def boxes(rng, shape):
    corner = rng.uniform(-40, 20, (shape[0], 2))
    return np.column_stack(
        [corner, corner + rng.uniform(40, 260, (shape[0], 2)), rng.randint(1, 3, shape[0])]
    )


def rois(rng, shape):
    """Of all four levels: the sides are near 56, 112, 224, and so on."""
    corner, side = rng.uniform(0, 99, (shape[0], 2)), 56 * 2 ** rng.uniform(0, 4, (shape[0], 1))
    return np.column_stack([np.zeros(shape[0]), corner, corner + side])


def level_shapes(sizes, channels):
    return [(1, channels, *size) for size in sizes]


ANCHORS = Case(
    layer(
        "anchor_target_layer",
        "AnchorTargetLayer",
        "{'feat_stride': '4,8,16,32,64', 'allowed_border': 300}",
    ),
    [*level_shapes(SIZES, 12), (3, 5), (1, 3)],
    [*level_shapes(OTHER_SIZES, 12), (2, 5), (1, 3)],
    fills=[normal] * 5 + [boxes, im_info],
    tops=4,
)
PROPOSALS = Case(
    layer("proposal_layer", "ProposalLayer", STRIDE_TEXT),
    [(1, 3), *level_shapes(SIZES, 24), *level_shapes(SIZES, 12)],
    [(1, 3), *level_shapes([(9, 15), *SIZES[1:]], 24), *level_shapes([(9, 15), *SIZES[1:]], 12)],
    fills=[im_info, *[normal] * 5, *[unit] * 5],
)
TARGETS, MERGED = (
    Case(
        layer(f"proposal_target_layer{end}", name, "'num_classes': 3"),
        [(19, 5), (4, 5), (1, 3, 2, 2)],
        [(11, 5), (6, 5), (1, 3, 4, 1)],
        fills=[
            rois,
            lambda rng, shape: np.hstack([rois(rng, shape)[:, 1:], rng.randint(1, 3, (shape[0], 1))]),
            normal,
        ],
        tops=8,
    )
    for end, name in (("", "ProposalTargetLayer"), ("_mrcnn", "ProposalMergeRcnnTargetLayer"))
)
AS_ROIS, AS_ROIS_MERGED = (
    Case(layer(module, name), [(19, 5)], [(7, 5)], fills=[rois], tops=5)
    for module, name in (("as_rois", "As_roisLayer"), ("as_rois_mrcnn", "As_rois_MergeRcnnLayer"))
)


CLASS = {
    ANCHORS: PyramidAnchorTargetLayer,
    PROPOSALS: PyramidProposalLayer,
    TARGETS: PyramidProposalTargetLayer,
    MERGED: ProposalMergeRcnnTargetLayer,
    AS_ROIS: AsRoisLayer,
    AS_ROIS_MERGED: AsRoisMergeRcnnLayer,
}


def runner_of(case, bottoms, **kwargs):
    return Runner(case.layer, bottoms, case.tops, cls=CLASS[case], **kwargs)


def level_of(roi):
    """Equation 1 of Feature Pyramid Networks, as a place among p2 to p5."""
    side = np.sqrt(np.float32(roi[3] - roi[1]) * np.float32(roi[4] - roi[2]))
    return int(np.clip(np.floor(4 + np.log2(side / 224)), 2, 5)) - 2


def naive_anchors(sizes):
    """By level, place and anchor."""
    return [
        [
            [x * stride + (stride - 1) / 2 - (w - 1) / 2, y * stride + (stride - 1) / 2 - (h - 1) / 2,
             x * stride + (stride - 1) / 2 + (w - 1) / 2, y * stride + (stride - 1) / 2 + (h - 1) / 2]
            for y in range(height)
            for x in range(width)
            for ratio in (0.5, 1, 2)
            for scale in (16, 32)
            for w in [round(np.sqrt(stride * stride / ratio)) * scale]
            for h in [round(round(np.sqrt(stride * stride / ratio)) * ratio) * scale]
        ]
        for stride, (height, width) in zip(STRIDES, sizes, strict=True)
    ]  # fmt: skip


@pytest.fixture(autouse=True)
def random_state():
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@pytest.mark.parametrize("batch_size", [100_000, 40])
def test_anchor_targets(monkeypatch, batch_size):
    monkeypatch.setattr(PyramidAnchorTargetLayer, "batch_size", batch_size)
    bottoms = ANCHORS.bottoms(np.random.RandomState(3))
    runner = runner_of(ANCHORS, bottoms)
    np.random.seed(5)
    labels, targets, inside, outside = runner.forward()
    anchors = np.array([anchor for level in naive_anchors(SIZES) for anchor in level])
    counts = np.array([a[0] >= -300 and a[1] >= -300 and a[2] < 352 and a[3] < 332 for a in anchors])
    truth = bottoms[5].astype(np.float32)[:, :4]
    each = np.array([[overlap(a, t) for t in truth.astype(float)] for a in anchors[counts]])
    want = np.full(len(each), -1)
    want[each.max(axis=1) < 0.3] = 0
    want[(each == each.max(axis=0)).any(axis=1) | (each.max(axis=1) >= 0.7)] = 1
    np.random.seed(5)
    for label, most in ((1, batch_size // 2), (0, None)):
        rows = np.flatnonzero(want == label)
        most = batch_size - (want == 1).sum() if most is None else most
        if len(rows) > most:
            want[np.random.choice(rows, len(rows) - most, replace=False)] = -1
    everywhere = np.full(len(anchors), -1)
    everywhere[counts] = want
    assert {0, 1, -1} == set(everywhere)
    begin, place = 0, 0
    for height, width in SIZES:
        own = everywhere[begin : begin + 6 * height * width].reshape(height, width, 6)
        found = labels[0, begin : begin + own.size].reshape(6, height, width)
        np.testing.assert_array_equal(found, own.transpose(2, 0, 1))
        columns = [top[0, :, place : place + height * width].reshape(6, 4, height, width)
                   for top in (targets, inside, outside)]  # fmt: skip
        np.testing.assert_array_equal(columns[1], np.repeat((found == 1)[:, None], 4, axis=1))
        share = (found >= 0) / (want >= 0).sum()
        np.testing.assert_allclose(columns[2], np.repeat(share[:, None], 4, axis=1), rtol=1e-6)
        for a, y, x in zip(*np.nonzero(found == 1), strict=True):
            anchor = anchors[begin + (y * width + x) * 6 + a]
            goal = truth[np.argmax([overlap(anchor, t) for t in truth.astype(float)])]
            w, h = anchor[2:] - anchor[:2] + 1
            delta = [
                ((goal[0] + goal[2]) - (anchor[0] + anchor[2])) / 2 / w,
                ((goal[1] + goal[3]) - (anchor[1] + anchor[3])) / 2 / h,
                np.log((goal[2] - goal[0] + 1) / w),
                np.log((goal[3] - goal[1] + 1) / h),
            ]
            np.testing.assert_allclose(columns[0][a, :, y, x], delta, rtol=1e-4, atol=1e-5)
        assert not columns[0][np.repeat((found != 1)[:, None], 4, axis=1)].any()
        begin, place = begin + own.size, place + height * width


def test_anchors_that_all_count_and_a_level_without_places(monkeypatch):
    monkeypatch.setattr(PyramidAnchorTargetLayer, "batch_size", -1)
    monkeypatch.setattr(PyramidAnchorTargetLayer, "normalize_targets", True)  # that is for other layers
    bottoms = ANCHORS.bottoms(np.random.RandomState(3))
    labels, targets, _, outside = [top.copy() for top in runner_of(ANCHORS, bottoms).forward()]
    counts = (labels >= 0).sum()
    assert counts > 256 and np.unique(outside).tolist() == [0, np.float32(1 / counts)]
    monkeypatch.setattr(PyramidAnchorTargetLayer, "normalize_targets", False)
    np.testing.assert_array_equal(runner_of(ANCHORS, bottoms).forward()[1], targets)
    bottoms[4] = np.zeros((1, 12, 0, 3))
    fewer = runner_of(ANCHORS, bottoms).forward()
    assert fewer[0].shape == (1, labels.size - 6) and fewer[1].shape == (1, 24, targets.shape[2] - 1)


def test_proposals(monkeypatch):
    """Boxes one by one; where too few stay, some are drawn once more."""
    monkeypatch.setattr(PyramidProposalLayer, "pre_nms_top_n", {TRAIN: 150, TEST: 0})
    monkeypatch.setattr(PyramidProposalLayer, "post_nms_top_n", {TRAIN: 60, TEST: 0})
    rng = np.random.RandomState(6)
    scores = rng.permutation(12 * sum(h * w for h, w in SIZES)) / 4096
    bottoms = [np.array([[31.0, 50, 0.5]])]  # a column of the first level lies behind the end
    bottoms += [0.2 * rng.standard_normal(shape) for shape in level_shapes(SIZES, 24)]
    ends = np.cumsum([0] + [12 * h * w for h, w in SIZES])
    bottoms += [scores[a:b].reshape(shape) for a, b, shape in
                zip(ends, ends[1:], level_shapes(SIZES, 12), strict=False)]  # fmt: skip
    found = []
    for level, anchors in enumerate(naive_anchors(SIZES)):
        width, stride = SIZES[level][1], STRIDES[level]
        for i, anchor in enumerate(np.array(anchors)):
            (y, x), a = divmod(i // 6, width), i % 6
            if y >= 31 // stride or x >= 50 // stride:
                continue
            dx, dy, dw, dh = bottoms[1 + level][0, 4 * a : 4 * a + 4, y, x]
            w, h = anchor[2:] - anchor[:2] + 1
            cx, cy = anchor[0] + w / 2 + dx * w, anchor[1] + h / 2 + dy * h
            half = np.array([w * np.exp(dw), h * np.exp(dh)]) / 2
            box = np.clip([cx - half[0], cy - half[1], cx + half[0], cy + half[1]], 0, [49, 30, 49, 30])
            if min(box[2:] - box[:2]) + 1 >= 8:
                found.append((bottoms[6 + level][0, 6 + a, y, x], box))
    found.sort(key=lambda item: -item[0])
    kept = []
    for _, box in found[:150]:
        if all(overlap(box, other) <= 0.7 for other in kept):
            kept.append(box)
    assert 1 < len(kept) < 60
    runner = runner_of(PROPOSALS, bottoms, dtype=np.float64)
    np.random.seed(2)
    got = runner.forward()[0]
    np.random.seed(2)
    again = np.random.choice(len(kept), 60 - len(kept))
    np.testing.assert_allclose(got[:, 1:], np.array(kept)[[*range(len(kept)), *again]], atol=1e-9)
    assert not got[:, 0].any()
    monkeypatch.setattr(PyramidProposalLayer, "min_size", {TRAIN: 1000})
    np.testing.assert_array_equal(runner.forward()[0], [[0, 0, 0, 16, 16]] * 60)


@pytest.mark.parametrize("case, rows", [(TARGETS, 30), (MERGED, None)], ids=["padded", "merged"])
def test_sampled_rois_by_level(monkeypatch, case, rows):
    for cls in (ProposalTargetLayer, ProposalMergeRcnnTargetLayer):
        monkeypatch.setattr(cls, "batch_size", 30)
        monkeypatch.setattr(cls, "bg_thresh_lo", 0.0)
    monkeypatch.setattr(ProposalTargetLayer, "normalize_targets", True)
    bottoms = case.bottoms(np.random.RandomState(7))
    bottoms[0][:, 3:] = np.minimum(bottoms[0][:, 3:], bottoms[0][:, 1:3] + 400)  # none of p5
    bottoms[1][:, 2:4] = np.minimum(bottoms[1][:, 2:4], bottoms[1][:, :2] + 400)
    np.random.seed(3)
    usual = Runner(layer("proposal_target_layer", "ProposalTargetLayer", "'num_classes': 3"), bottoms[:2], 5)
    sampled = [top.copy() for top in usual.forward()]
    np.random.seed(3)
    tops = runner_of(case, bottoms).forward()
    level = [level_of(roi) for roi in sampled[0]]
    assert {0, 1, 2} == set(level)
    want = [[] for _ in range(5)]
    for i in range(4):
        own = [k for k in range(len(level)) if level[k] == i]
        count = rows or len(own) or 4
        for part, values, fill in zip(want, sampled, (0, -1, 0, 0, 0), strict=True):
            more = np.full((count - len(own), *values.shape[1:]), fill)
            part.append(np.concatenate([values[own], more]))
    for top, wanted in zip(tops, [*want[0], *map(np.concatenate, want[1:])], strict=True):
        np.testing.assert_array_equal(top, wanted)


@pytest.mark.parametrize("case, rows", [(AS_ROIS, 1000), (AS_ROIS_MERGED, None)], ids=["padded", "merged"])
def test_rois_by_level(case, rows):
    proposals = rois(np.random.RandomState(9), (33, 5)).astype(np.float32)
    proposals = proposals[[level_of(roi) != 1 for roi in proposals]]
    everything, *levels = runner_of(case, [proposals]).forward()
    for i, top in enumerate(levels):
        own = proposals[[level_of(roi) == i for roi in proposals]]
        assert len(top) == (rows or len(own) or 4) and (len(own) > 0) == (i != 1)
        np.testing.assert_array_equal(top[: len(own)], own)
        assert not top[len(own) :].any()
    np.testing.assert_array_equal(everything, np.concatenate(levels))


def seeded(cls, **values):
    def forward(self, bottom, top):
        np.random.seed(8)
        super(made, self).forward(bottom, top)

    made = type(cls.__name__, (cls,), {"forward": forward, **values})
    return made


CLASSES = [
    (ANCHORS, seeded(PyramidAnchorTargetLayer, batch_size=30)),
    (PROPOSALS, seeded(PyramidProposalLayer, post_nms_top_n={TRAIN: 70, TEST: 70})),
    (TARGETS, seeded(PyramidProposalTargetLayer, batch_size=12)),
    (MERGED, seeded(ProposalMergeRcnnTargetLayer, batch_size=12)),
    (AS_ROIS, seeded(AsRoisLayer, most_rois=21)),
    (AS_ROIS_MERGED, seeded(AsRoisMergeRcnnLayer)),
]


@pytest.mark.parametrize("case, cls", CLASSES, ids=[cls.__name__ for _, cls in CLASSES])
@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_contract(clause, case, cls):
    clause(case, cls)


@pytest.mark.parametrize(
    "case, index, value, message",
    [
        (
            ANCHORS,
            2,
            np.zeros((1, 18, 2, 4)),
            r"bottom\[2\] has the shape \(1, 18, 2, 4\); expected \(1, 12, height",
        ),
        (ANCHORS, 6, np.zeros((1, 4)), r"bottom\[6\] has the shape \(1, 4\); expected \(1, 3\)"),
        (ANCHORS, 5, np.zeros((0, 5)), "gt_boxes has the shape"),
        (PROPOSALS, 0, np.zeros((1, 4)), r"bottom\[0\] has the shape \(1, 4\)"),
        (PROPOSALS, 3, np.zeros((1, 24, 3, 4)), "level 2 has deltas of the shape"),
        (
            PROPOSALS,
            9,
            np.zeros((1, 24, 1, 2)),
            r"bottom\[9\] has the shape \(1, 24, 1, 2\); expected \(1, 12",
        ),
        (
            PROPOSALS,
            0,
            np.array([[90, 52, 1]]),
            "an image of 90 x 52 pixels has 22 x 13 places with the stride 4",
        ),
        (PROPOSALS, 0, np.array([[np.nan, 52, 1]]), r"bottom\[0\] is not finite"),
        (TARGETS, 0, np.zeros((3, 4)), r"expected N x 5"),
        (AS_ROIS, 0, np.zeros((3, 4)), r"expected R x 5"),
        (AS_ROIS, 0, np.zeros((1001, 5)), "a level has 1001 RoIs; most_rois is 1000"),
    ],
)
def test_what_does_not_fit(case, index, value, message):
    bottoms = case.bottoms(np.random.RandomState(1))
    bottoms[index] = value
    with pytest.raises(LayerError, match=message):
        runner_of(case, bottoms, phase=TEST).forward()


@pytest.mark.parametrize(
    "text", ["", "'feat_stride': 4,8,16,32", "'feat_stride': 16", "'feat_stride': 4,8,0,32,64"]
)
def test_strides_that_do_not_fit(text):
    wrong = layer("proposal_layer", "ProposalLayer", text)
    with pytest.raises(LayerError, match="each of 5 levels"):
        Runner(wrong, PROPOSALS.bottoms(np.random.RandomState(1)), cls=PyramidProposalLayer)


@pytest.mark.parametrize("case", CLASS, ids=lambda case: CLASS[case].__name__)
def test_bottoms_and_tops_say_which_layer_it_is(case):
    names = [f'bottom: "b{i}"' for i in range(len(case.shapes))] + [f'top: "t{i}"' for i in range(case.tops)]
    assert type(create_layer(parse(f"{case.layer} {' '.join(names)}"), TRAIN)) is CLASS[case]


def test_usual_bottoms_are_those_of_the_usual_layer():
    names = "".join(f' bottom: "b{i}"' for i in range(3))
    text = layer("proposal_layer", "ProposalLayer", "feat_stride: 16") + names + ' top: "rois"'
    assert type(create_layer(parse(text), TRAIN)) is ProposalLayer
