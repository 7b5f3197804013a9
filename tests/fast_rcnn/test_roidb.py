import numpy as np
import pytest

from caffe_compat.fast_rcnn.roidb import compute_targets, normalize_targets, roidb_entry
from fast_rcnn.golden import recorded


def split(roidb, i: int):
    """The objects' boxes, their classes and the proposals of recorded entry i."""
    boxes, classes = roidb[f"e{i}/boxes"], roidb[f"e{i}/gt_classes"]
    count = np.count_nonzero(classes)
    return boxes[:count], classes[:count], boxes[count:]


@pytest.mark.parametrize("i", range(10))
def test_overlaps_and_classes_are_the_recorded_ones(i):
    roidb = recorded("roidb")
    entry = roidb_entry(*split(roidb, i))
    np.testing.assert_array_equal(entry.boxes, roidb[f"e{i}/boxes"])
    np.testing.assert_array_equal(entry.max_overlaps, roidb[f"e{i}/max_overlaps"])
    np.testing.assert_array_equal(entry.max_classes, roidb[f"e{i}/max_classes"])
    assert (entry.boxes.dtype, entry.max_overlaps.dtype, entry.max_classes.dtype) == ("f4", "f4", "i4")


@pytest.mark.parametrize("i", range(10))
def test_targets_before_normalisation_are_the_recorded_ones(i):
    roidb = recorded("roidb")
    gt_boxes, gt_classes, proposals = split(roidb, i)
    entry = roidb_entry(gt_boxes, gt_classes, proposals)
    ious = [[_iou(box, gt) for gt in gt_boxes] for box in entry.boxes.astype(float)]
    matched = gt_boxes[np.argmax(ious, axis=1)]
    got = compute_targets(entry.boxes, matched, entry.max_overlaps, entry.max_classes)
    np.testing.assert_allclose(got, roidb[f"e{i}/bbox_targets_raw"], rtol=1e-6, atol=1e-9)


def _iou(a, b) -> float:
    sides = np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + 1)
    area = [np.prod(box[2:] - box[:2] + 1) for box in (a, b.astype(float))]
    return sides.prod() / (sum(area) - sides.prod())


def test_targets_with_fixed_means_and_stds_are_the_recorded_ones():
    roidb = recorded("roidb")
    entry = roidb_entry(*split(roidb, 2))
    assert entry.bbox_targets.dtype == np.float32
    np.testing.assert_allclose(entry.bbox_targets, roidb["e2/bbox_targets_precomputed"], rtol=1e-6, atol=1e-9)


def test_only_rows_with_a_class_are_normalised():
    targets = np.array([[0, 9, 9, 9, 9], [3, 0.2, -0.1, 0.4, -1]], np.float32)
    np.testing.assert_allclose(normalize_targets(targets), [[0, 9, 9, 9, 9], [3, 2, -1, 2, -5]], rtol=1e-6)
    assert targets[1, 1] == np.float32(0.2)


def test_a_photo_without_objects_has_background_only():
    entry = roidb_entry(np.zeros((0, 4)), np.zeros(0), np.array([[3, 4, 20, 30], [5, 5, 9, 9]]))
    assert entry.boxes.shape == (2, 4)
    assert not entry.max_overlaps.any() and not entry.max_classes.any() and not entry.bbox_targets.any()


def test_objects_with_the_same_box_keep_their_classes():
    box = [10, 10, 50, 60]
    entry = roidb_entry(np.array([box, box]), np.array([7, 4]), np.array([box, [200, 200, 220, 230]]))
    assert entry.max_classes.tolist() == [7, 4, 7, 0]
    assert entry.max_overlaps.tolist() == [1, 1, 1, 0]
    assert entry.bbox_targets[:, 0].tolist() == [7, 4, 7, 0]
