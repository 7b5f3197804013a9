import numpy as np
import pytest

from caffe_compat.fast_rcnn.synthetic import synthetic_sample


def test_the_sample_has_300_rois_of_a_600_x_800_picture():
    blobs = synthetic_sample(21)
    assert blobs["data"].shape == (1, 3, 600, 800)
    assert blobs["rois"].shape == (300, 5) and blobs["labels"].shape == (300,)
    assert blobs["bbox_targets"].shape == (300, 84)
    x1, y1, x2, y2 = blobs["rois"][:, 1:].T
    assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= 799).all() and (y2 <= 599).all()
    assert (x2 - x1 >= 15).all() and (y2 - y1 >= 15).all()


def test_five_objects_and_an_eighth_or_more_foreground():
    blobs = synthetic_sample(21)
    labels = blobs["labels"]
    assert len(np.unique(labels[labels > 0])) == 5
    assert 300 / 8 < np.count_nonzero(labels) < 300 / 2
    objects = (blobs["bbox_inside_weights"].any(axis=1)) & ~blobs["bbox_targets"].any(axis=1)
    assert labels[objects].tolist() == labels[:5].tolist()


def test_the_objects_fill_their_boxes():
    blobs = synthetic_sample(21, rois=5)
    for x1, y1, x2, y2 in blobs["rois"][:, 1:].astype(int):
        inside = blobs["data"][0][:, y1 : y2 + 1, x1 : x2 + 1]
        band = blobs["data"][0][:, max(0, y1 - 12) : y1, x1 : x2 + 1]
        assert inside.std() > band.std(axis=(1, 2)).mean()


def test_the_same_seed_gives_the_same_sample_and_another_one_another():
    first, second, other = synthetic_sample(21, 4), synthetic_sample(21, 4), synthetic_sample(21, 5)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["data"], other["data"])
    assert not np.array_equal(first["rois"], other["rois"])


@pytest.mark.parametrize(("classes", "objects"), [(1, 0), (2, 1), (4, 3), (6, 5)])
def test_few_classes_make_few_objects(classes, objects):
    blobs = synthetic_sample(classes, rois=40)
    assert blobs["bbox_targets"].shape == (40, 4 * classes)
    assert len(np.unique(blobs["labels"][blobs["labels"] > 0])) == objects


def test_several_pictures_in_a_batch():
    blobs = synthetic_sample(21, rois=30, images=2)
    assert blobs["data"].shape == (2, 3, 600, 800)
    assert blobs["rois"][:, 0].tolist() == [0] * 30 + [1] * 30
    assert not np.array_equal(blobs["data"][0], blobs["data"][1])


def test_numpys_global_random_numbers_are_left_alone():
    np.random.seed(7)
    want = np.random.randint(0, 1000, 5)
    np.random.seed(7)
    synthetic_sample(21)
    np.testing.assert_array_equal(np.random.randint(0, 1000, 5), want)
