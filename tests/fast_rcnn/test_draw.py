import numpy as np

from caffe_compat.fast_rcnn.draw import draw
from caffe_compat.fast_rcnn.voc import CLASSES

GREY = np.full((375, 500, 3), 128, np.uint8)


def changed(*dets) -> np.ndarray:
    return (draw(GREY, np.array(dets, np.float32).reshape(-1, 6), CLASSES) != GREY).any(axis=2)


def test_a_box_and_its_label_above_it():
    seen = changed([12, 100, 80, 300, 250, 0.9])
    assert seen[80:251, 100].all() and seen[80:251, 300].all() and seen[250, 100:301].all()
    assert not seen[90:240, 110:290].any()  # nothing inside
    rows = np.flatnonzero(seen[:, 120])
    assert 50 < rows[0] < 70  # the label
    assert not seen[:50].any() and not seen[:, :95].any() and not seen[:, 305:].any()


def test_labels_stay_in_the_photo_and_leave_each_other_free():
    one = changed([12, 0, 0, 499, 374, 0.9])
    assert one[2:20, 2:40].mean() > 0.9  # inside the box, as there is no room above it
    label = changed([12, 200, 200, 210, 210, 0.9]).sum()
    twice = changed([12, 200, 200, 210, 210, 0.9], [12, 200, 200, 210, 210, 0.8]).sum()
    assert twice > 1.8 * label - 250  # the same box, but a label each


def test_the_photo_itself_stays_as_it_is():
    before = GREY.copy()
    assert draw(GREY, np.zeros((0, 6), np.float32), CLASSES) is not GREY
    changed([1, -5, 3, 700, 80, 1.0])
    np.testing.assert_array_equal(GREY, before)
