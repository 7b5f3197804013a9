"""AnchorTargetLayer and ProposalTargetLayer: the targets and the draws of the original, the contract, errors."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.rpn.anchor_target import AnchorTargetLayer
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from layers.contract import CLAUSES
from layers.harness import Case, Runner, normal

GOLDEN = Path(__file__).parents[2] / "golden" / "rpn"
ANCHOR = {
    "RPN_POSITIVE_OVERLAP": "positive_overlap",
    "RPN_NEGATIVE_OVERLAP": "negative_overlap",
    "RPN_CLOBBER_POSITIVES": "clobber_positives",
    "RPN_FG_FRACTION": "fg_fraction",
    "RPN_BATCHSIZE": "batch_size",
    "RPN_BBOX_INSIDE_WEIGHTS": "inside_weights",
    "RPN_POSITIVE_WEIGHT": "positive_weight",
}
PROPOSAL = {
    "BATCH_SIZE": "batch_size",
    "FG_FRACTION": "fg_fraction",
    "FG_THRESH": "fg_thresh",
    "BG_THRESH_HI": "bg_thresh_hi",
    "BG_THRESH_LO": "bg_thresh_lo",
    "BBOX_INSIDE_WEIGHTS": "inside_weights",
    "BBOX_NORMALIZE_TARGETS_PRECOMPUTED": "normalize_targets",
    "BBOX_NORMALIZE_MEANS": "normalize_means",
    "BBOX_NORMALIZE_STDS": "normalize_stds",
}


def layer(kind, param_str):
    module = {
        "AnchorTargetLayer": "rpn.anchor_target_layer",
        "ProposalTargetLayer": "rpn.proposal_target_layer",
    }
    text = param_str.replace("\n", "\\n")
    return f'type: "Python" python_param {{ module: "{module[kind]}" layer: "{kind}" param_str: "{text}" }}'


def recording(file, case):
    with np.load(GOLDEN / file) as golden:
        keys = [key for key in golden.files if key.startswith(f"{case}:")]
        return {key.split(":", 1)[1]: golden[key] for key in keys}


def cases(file):
    with np.load(GOLDEN / file) as golden:
        return sorted({int(key.split(":")[0]) for key in golden.files})


def configure(monkeypatch, cls, names, want):
    for key, name in names.items():
        monkeypatch.setattr(cls, name, want[key] if want[key].ndim else want[key].item())


@pytest.fixture(autouse=True)
def random_state():
    state = np.random.get_state()
    yield
    np.random.set_state(state)


def anchor_targets(monkeypatch, want):
    configure(monkeypatch, AnchorTargetLayer, ANCHOR, want)
    shapes = [want["shape:rpn_cls_score"], want["shape:data"]]
    score, data = (np.zeros(shape) for shape in shapes)
    bottoms = [score, want["in:gt_boxes"], want["in:im_info"], data]
    runner = Runner(layer("AnchorTargetLayer", str(want["param_str"])), bottoms, tops=4)
    np.random.seed(int(want["seed"]))
    return [top.copy() for top in runner.forward()]


@pytest.mark.parametrize("case", cases("anchor_targets.npz"))
def test_anchor_targets_of_the_original(monkeypatch, case):
    want = recording("anchor_targets.npz", case)
    labels, targets, inside, outside = anchor_targets(monkeypatch, want)
    np.testing.assert_array_equal(np.random.uniform(size=2), want["next"])
    np.testing.assert_array_equal(labels, want["rpn_labels"])
    np.testing.assert_array_equal(inside, want["rpn_bbox_inside_weights"])
    np.testing.assert_allclose(targets, want["rpn_bbox_targets"], atol=1e-6, rtol=1e-6)
    np.testing.assert_allclose(outside, want["rpn_bbox_outside_weights"], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("case", cases("proposal_targets.npz"))
def test_proposal_targets_of_the_original(monkeypatch, case):
    want = recording("proposal_targets.npz", case)
    configure(monkeypatch, ProposalTargetLayer, PROPOSAL, want)
    bottoms = [want["in:rpn_rois"], want["in:gt_boxes"]]
    runner = Runner(layer("ProposalTargetLayer", str(want["param_str"])), bottoms, tops=5)
    np.random.seed(int(want["seed"]))
    rois, labels, targets, *weights = runner.forward()
    np.testing.assert_array_equal(np.random.uniform(size=2), want["next"])
    np.testing.assert_array_equal(rois, want["rois"])
    np.testing.assert_array_equal(labels, want["labels"])
    np.testing.assert_allclose(targets, want["bbox_targets"], atol=1e-5, rtol=1e-5)
    np.testing.assert_array_equal(weights[0], want["bbox_inside_weights"])
    np.testing.assert_array_equal(weights[1], want["bbox_outside_weights"])


# ---- small ones
A_TEXT = layer("AnchorTargetLayer", "{feat_stride: 8, scales: [1, 2]}")
P_TEXT = layer("ProposalTargetLayer", "num_classes: 3")


def boxes(rng, shape):
    corner = rng.uniform(0, 25, (shape[0], 2))
    return np.column_stack([corner, corner + rng.uniform(5, 20, (shape[0], 2)), rng.randint(1, 3, shape[0])])


def rois(rng, shape):
    return np.column_stack([np.zeros(shape[0]), boxes(rng, shape)[:, :4]])


def im_info(rng, shape):
    return np.array([[41.0, 53.0, 1.5]])


A_CASE = Case(
    A_TEXT,
    [(1, 12, 5, 7), (4, 5), (1, 3), (1, 3, 41, 53)],
    [(1, 12, 6, 4), (2, 5), (1, 3), (1, 3, 38, 61)],
    fills=[normal, boxes, im_info, normal],
    tops=4,
)
P_CASE = Case(P_TEXT, [(19, 5), (4, 5)], [(11, 5), (6, 5)], fills=[rois, boxes], tops=5)


class SeededAnchors(AnchorTargetLayer):
    batch_size = 30

    def forward(self, bottom, top):
        np.random.seed(8)
        super().forward(bottom, top)


class SeededProposals(ProposalTargetLayer):
    batch_size = 12

    def forward(self, bottom, top):
        np.random.seed(8)
        super().forward(bottom, top)


@pytest.mark.parametrize(
    "case, cls", [(A_CASE, SeededAnchors), (P_CASE, SeededProposals)], ids=["anchor", "proposal"]
)
@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_contract(clause, case, cls):
    clause(case, cls)


@pytest.mark.parametrize(
    "case, index, value, message",
    [
        (
            A_CASE,
            0,
            np.zeros((1, 10, 5, 7)),
            r"expected, for one image and 6 anchors, \(1, 12, height, width\)",
        ),
        (A_CASE, 1, np.zeros((1, 4)), r"gt_boxes has the shape \(1, 4\); expected one row or more"),
        (A_CASE, 1, np.zeros((0, 5)), r"gt_boxes has the shape \(0, 5\)"),
        (A_CASE, 2, np.zeros((1, 4)), r"bottom\[2\] has the shape \(1, 4\); expected \(1, 3\)"),
        (A_CASE, 2, np.array([[4, 6, 1]]), "none of the 210 anchors lies in the image of 4 x 6 pixels"),
        (P_CASE, 0, np.zeros((3, 4)), r"bottom\[0\] has the shape \(3, 4\); expected N x 5"),
        (P_CASE, 0, np.ones((3, 5)), "a RoI is of another image than 0"),
        (P_CASE, 1, np.zeros((0, 5)), r"gt_boxes has the shape \(0, 5\)"),
        (
            P_CASE,
            1,
            np.array([[1, 2, 9, 9, 3]]),
            "box 0 of gt_boxes has the class 3; expected a whole number",
        ),
        (P_CASE, 1, np.array([[1, 2, 9, 9, 0]]), "box 0 of gt_boxes has the class 0"),
    ],
)
def test_what_does_not_fit(case, index, value, message):
    bottoms = case.bottoms(np.random.RandomState(1))
    bottoms[index] = value
    with pytest.raises(LayerError, match=message):
        Runner(case.layer, bottoms, case.tops).forward()


def test_a_batch_of_all_rois_and_boxes_of_no_class(monkeypatch):
    monkeypatch.setattr(ProposalTargetLayer, "batch_size", -1)
    monkeypatch.setattr(ProposalTargetLayer, "agnostic", True)
    monkeypatch.setattr(ProposalTargetLayer, "bg_thresh_lo", 0.0)
    rng = np.random.RandomState(4)
    truth = boxes(rng, (4, 5))
    truth[:, 4] = [17, 3, 1, 20]
    proposals = rois(rng, (300, 5))
    runner = Runner(layer("ProposalTargetLayer", "num_classes: 2"), [proposals, truth], tops=5)
    np.random.seed(3)
    sampled, found, targets, inside, outside = runner.forward()
    everything = np.vstack([proposals, np.column_stack([np.zeros(4), truth[:, :4]])]).astype(np.float32)
    assert len(sampled) == 304
    np.testing.assert_array_equal(np.unique(sampled, axis=0), np.unique(everything, axis=0))
    count = np.count_nonzero(found)
    assert count > 4 and set(found[:count]) == {17, 3, 1, 20} and not found[count:].any()
    assert targets.shape == inside.shape == (304, 8)
    assert targets[:count, 4:].any(axis=1).sum() == count - 4  # the boxes themselves have targets of 0
    assert not targets[:, :4].any() and not targets[count:].any()
    np.testing.assert_array_equal(inside, np.repeat([[0, 1]], 4, axis=1) * (found > 0)[:, None])
    np.testing.assert_array_equal(outside, inside)


def test_a_sixth_top_has_another_label_of_each_box():
    """Person search's: who it is, -1 where nobody knows."""
    truth = np.array([[0, 0, 19, 19, 1, 7], [30, 30, 49, 49, 1, -1]])
    proposals = np.array([[0, 0, 0, 19, 18], [0, 30, 31, 49, 49], [0, 10, 10, 29, 29]])
    text = layer("ProposalTargetLayer", "{num_classes: 2, bg_aux_label: 50}")
    runner = Runner(text, [proposals, truth], tops=6)
    np.random.seed(3)
    sampled, found, *_, label = runner.forward()
    who = {tuple(row[1:]): (float(a), float(b)) for row, a, b in zip(sampled, found, label, strict=True)}
    assert who == {
        (0, 0, 19, 18): (1, 7),
        (0, 0, 19, 19): (1, 7),
        (30, 31, 49, 49): (1, -1),
        (30, 30, 49, 49): (1, -1),
        (10, 10, 29, 29): (0, 50),
    }
    with pytest.raises(LayerError, match="a sixth top needs a sixth column, its label"):
        Runner(text, [proposals, truth[:, :5]], tops=6).forward()
    with pytest.raises(LayerError, match="bg_aux_label of param_str is -2; expected a whole number from 0"):
        Runner(layer("ProposalTargetLayer", "{num_classes: 2, bg_aux_label: -2}"), [proposals, truth], tops=6)


def test_normalised_anchor_targets(monkeypatch):
    """py-R-FCN's RPN_NORMALIZE_TARGETS: of anchors inside the image, rounded to float32 after each step."""
    want = recording("anchor_targets.npz", 0)
    before = anchor_targets(monkeypatch, want)
    means, stds = (0.25, -0.5, 0.125, 1.0), (0.5, 0.25, 2.0, 4.0)
    for name, value in (("targets", True), ("means", means), ("stds", stds)):
        monkeypatch.setattr(AnchorTargetLayer, f"normalize_{name}", value)
    after = anchor_targets(monkeypatch, want)
    for i in (0, 2, 3):
        np.testing.assert_array_equal(after[i], before[i])
    columns = [top[1].reshape(-1, 4, *top[1].shape[2:]) for top in (before, after)]
    inside = columns[0].any(axis=1, keepdims=True)
    expected = (columns[0] - np.reshape(means, (4, 1, 1))) / np.reshape(stds, (4, 1, 1))
    assert 0 < inside.mean() < 1
    np.testing.assert_allclose(columns[1], np.where(inside, expected, 0), rtol=1e-6, atol=1e-6)
