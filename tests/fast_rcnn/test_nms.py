import numpy as np
import pytest

from caffe_compat.fast_rcnn.boxes import bbox_overlaps
from caffe_compat.fast_rcnn.nms import RULES, by_class_and_score, nms, suppress, vote
from fast_rcnn.golden import recorded


@pytest.mark.parametrize(("rule", "record"), [("gpu", "py"), ("cpu", "cpu")])
def test_both_rules_are_the_recorded_ones(rule, record):
    recording = recorded("nms")
    for i in range(len(recording["kinds"])):
        for thresh in recording["thresholds"].tolist():
            got = nms(recording[f"s{i}/dets"], thresh, rule)
            np.testing.assert_array_equal(got, recording[f"s{i}/{record}_{thresh}"], f"s{i} {thresh}")


def test_the_rules_differ_where_an_overlap_is_just_the_threshold():
    dets = np.array([[0, 0, 9, 9, 0.9], [0, 0, 9, 4, 0.8]], np.float32)
    assert nms(dets, 0.5).tolist() == [0, 1]  # the reference's default
    assert nms(dets, 0.5, "cpu").tolist() == [0]


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="gpu, cpu, not 'soft'"):
        nms(np.zeros((1, 5), np.float32), 0.3, "soft")


def random_detections(seed: int, count: int = 300) -> np.ndarray:
    rng = np.random.RandomState(seed)
    corners = np.sort(rng.randint(0, 40, (count, 2, 2)), axis=1).reshape(-1, 4)
    label, score = rng.choice([1, 4, 5, 20], count), (1 + rng.permutation(count)) / count
    return np.column_stack((label, corners, score)).astype(np.float32)


@pytest.mark.parametrize("rule", RULES)
def test_classes_do_not_suppress_each_other(rule):
    dets = random_detections(seed=3)
    want = []
    for label in (1, 4, 5, 20):
        of_class = dets[dets[:, 0] == label]
        want.append(of_class[nms(of_class[:, 1:], 0.3, rule)])
    np.testing.assert_array_equal(suppress(by_class_and_score(dets), 0.3, rule), np.concatenate(want))


def test_nothing_stays_nothing():
    empty = np.zeros((0, 6), np.float32)
    assert suppress(by_class_and_score(empty), 0.3).shape == (0, 6)
    assert vote(empty, empty, 0.5).shape == (0, 6)


def test_votes_are_weighted_with_scores_within_a_class():
    dets = by_class_and_score(random_detections(seed=7))
    kept = suppress(dets, 0.3)
    got = vote(kept, dets, 0.5)
    np.testing.assert_array_equal(got[:, [0, 5]], kept[:, [0, 5]])
    moved = 0
    for before, after in zip(kept, got, strict=True):
        voters = dets[dets[:, 0] == before[0]].astype(np.float64)
        voters = voters[bbox_overlaps(before[None, 1:5], voters[:, 1:5])[0] >= 0.5]
        want = (voters[:, 1:5] * voters[:, 5:]).sum(axis=0) / voters[:, 5].sum()
        np.testing.assert_allclose(after[1:5], want, rtol=1e-5, atol=1e-5)
        moved += len(voters) > 1
    assert moved > 10
