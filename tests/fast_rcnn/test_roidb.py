import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import FASTER_RCNN, OHEM, Config, cfg_from_list
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.entries import Photo
from caffe_compat.fast_rcnn.roidb import Roidb, photo_rois
from caffe_compat.fast_rcnn.voc import CLASSES
from fast_rcnn.golden import recorded, recorded_roidb


def objects(*boxes_and_classes: tuple[list[float], int]) -> Objects:
    boxes = np.array([box for box, _ in boxes_and_classes], np.float32).reshape(-1, 4)
    return Objects(boxes, np.array([one for _, one in boxes_and_classes], np.int32))


@pytest.mark.parametrize("i", range(10))
def test_entries_are_the_recorded_ones(i):
    record, roidb = recorded("roidb"), recorded_roidb(Config())
    entry = roidb[i]
    assert len(roidb) == 10
    assert entry.flipped == record["flipped"][i]
    assert entry.path == f"/{record['image_id'][i]}.jpg"
    np.testing.assert_array_equal(entry.boxes, record[f"e{i}/boxes"])
    np.testing.assert_array_equal(entry.max_overlaps, record[f"e{i}/max_overlaps"])
    np.testing.assert_array_equal(entry.max_classes, record[f"e{i}/max_classes"])
    np.testing.assert_allclose(entry.bbox_targets, record[f"e{i}/bbox_targets"], rtol=1e-6, atol=1e-7)
    types = [getattr(entry, name).dtype for name in ("boxes", "max_overlaps", "max_classes", "bbox_targets")]
    assert types == ["f4", "f4", "i4", "f4"]
    photo = roidb.photos[i % 5]
    assert (photo.width, photo.height) == (record["width"][i], record["height"][i])
    assert photo.boxes.dtype == record["boxes_dtype"]
    gt_classes = record[f"e{i}/gt_classes"]
    np.testing.assert_array_equal(photo.gt_classes, gt_classes[gt_classes > 0])


def test_means_and_stds_are_the_recorded_ones():
    record, roidb = recorded("roidb"), recorded_roidb(Config())
    assert (roidb.means.dtype, roidb.means.shape) == (np.float64, (84,))
    np.testing.assert_allclose(roidb.means, record["means"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(roidb.stds, record["stds"], rtol=1e-7, atol=1e-9)
    assert (roidb.stds[:4] == 0).all()  # background


@pytest.mark.parametrize("i", range(10))
def test_targets_without_normalisation_are_the_recorded_ones(i):
    roidb = recorded_roidb(cfg_from_list(["TRAIN.BBOX_NORMALIZE_TARGETS", "False"]))
    want = recorded("roidb")[f"e{i}/bbox_targets_raw"]
    np.testing.assert_allclose(roidb[i].bbox_targets, want, rtol=1e-6, atol=1e-9)


def test_targets_with_fixed_means_and_stds_are_the_recorded_ones():
    record = recorded("roidb")
    roidb = recorded_roidb(cfg_from_list(["TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED", "True"]))
    want = record["e2/bbox_targets_precomputed"]
    np.testing.assert_allclose(roidb[2].bbox_targets, want, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(roidb.means, record["means_precomputed"])
    np.testing.assert_array_equal(roidb.stds, record["stds_precomputed"])


def test_the_normalised_targets_have_mean_0_and_deviation_1():
    roidb = recorded_roidb(Config())
    rows = np.concatenate([entry.bbox_targets for entry in roidb])
    for k in np.unique(rows[rows[:, 0] > 0, 0]):
        of_class = rows[rows[:, 0] == k, 1:].astype(np.float64)
        np.testing.assert_allclose(of_class.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(of_class.std(axis=0), 1, atol=1e-4)


def test_without_flips_there_are_half_as_many():
    roidb = recorded_roidb(cfg_from_list(["TRAIN.USE_FLIPPED", "False"]))
    assert (len(roidb), [entry.flipped for entry in roidb]) == (5, [False] * 5)
    with pytest.raises(IndexError):
        roidb[5]


def test_photos_without_usable_rois_are_left_out_in_both_directions():
    dog = photo_rois("dog", 60, 50, objects(([5, 5, 29, 29], 12)), np.array([[40, 40, 50, 49]]))
    empty = photo_rois("empty", 40, 50, objects(), np.array([[3, 4, 20, 30]]))
    roidb = Roidb([empty, dog], Config(), CLASSES)
    assert ([entry.path for entry in roidb], roidb.filtered) == (["dog", "dog"], 1)
    assert roidb.is_landscape().tolist() == [True, True]
    roidb = Roidb([empty, dog], OHEM, CLASSES)
    assert ([entry.path for entry in roidb], roidb.filtered) == (["empty", "dog", "empty", "dog"], 0)
    assert roidb.is_landscape().tolist() == [False, True, False, True]
    with pytest.raises(DataError, match="there is no RoI") as error:
        Roidb([empty], Config(), CLASSES)
    assert error.value.file == "empty"


def test_a_photo_without_objects_has_background_only():
    photo = photo_rois("", 60, 50, objects(), np.array([[3, 4, 20, 30], [5, 5, 9, 9]]))
    entry = Roidb([photo], OHEM, CLASSES)[1]
    assert entry.boxes.tolist() == [[39, 4, 56, 30], [50, 5, 54, 9]]
    assert not entry.max_overlaps.any() and not entry.max_classes.any() and not entry.bbox_targets.any()


def test_objects_with_the_same_box_keep_their_classes():
    box = [10, 10, 50, 60]
    photo = photo_rois("", 300, 300, objects((box, 7), (box, 4)), np.array([box, [200, 200, 220, 230]]))
    entry = Roidb([photo], OHEM, CLASSES)[0]
    assert entry.max_classes.tolist() == [7, 4, 7, 0]
    assert entry.max_overlaps.tolist() == [1, 1, 1, 0]
    assert entry.bbox_targets[:, 0].tolist() == [7, 4, 7, 0]


def test_a_class_that_no_proposal_meets_is_not_divided_by_0():
    photo = photo_rois("", 300, 300, objects(([10, 10, 50, 60], 3)), np.array([[200, 200, 220, 230]]))
    roidb = Roidb([photo], OHEM, CLASSES)
    assert roidb.stds[12:16].tolist() == [1, 1, 1, 1] and roidb.means[12:16].tolist() == [0, 0, 0, 0]
    assert roidb[0].bbox_targets[0].tolist() == [3, 0, 0, 0, 0]


def test_fractions_are_kept_and_whole_numbers_take_14_bytes():
    boxes = np.array([[1.5, 2, 30.25, 40], [0, 0, 299, 299]])
    photo = photo_rois("", 300, 300, objects(), boxes)
    assert photo.boxes.dtype == np.float32
    np.testing.assert_array_equal(Roidb([photo], OHEM, CLASSES)[0].boxes, boxes)
    photo = photo_rois("", 300, 300, objects(), boxes.round())
    arrays = (photo.boxes, photo.max_overlaps, photo.matched, photo.gt_classes)
    assert sum(array.nbytes for array in arrays) == 2 * 14
    assert all(array.base is None for array in arrays)  # holds nothing larger alive


@pytest.mark.parametrize(
    "box",
    [[-1, 0, 5, 5], [0, 0, 60, 5], [0, 0, 5, 50], [6, 0, 5, 5], [0, 9, 5, 5], [0, 0, np.nan, 5]],
)
def test_a_proposal_outside_the_photo_is_refused(box):
    with pytest.raises(DataError, match="is not inside the photo of 60 x 50 pixels"):
        photo_rois("", 60, 50, objects(), np.array([[0, 0, 59, 49], box]))


RPN = "TRAIN.HAS_RPN True TRAIN.IMS_PER_BATCH 1"


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["TRAIN.HAS_RPN", "True"], "IMS_PER_BATCH is 2; with TRAIN.HAS_RPN it must be 1"),
        (RPN.split(), "BBOX_NORMALIZE_TARGETS_PRECOMPUTED is false"),
        ([*RPN.split(), "TRAIN.USE_OHEM", "True"], "TRAIN.USE_OHEM is for RoIs of the data"),
        ([*RPN.split(), "TRAIN.BATCH_SIZE", "0"], "BATCH_SIZE is 0; expected a number of RoIs, or -1"),
        (["TRAIN.PROPOSAL_METHOD", "mcg"], "PROPOSAL_METHOD is 'mcg'"),
        (["TRAIN.BATCH_SIZE", "-2"], "BATCH_SIZE is -2"),
        (["TRAIN.IMS_PER_BATCH", "3"], "BATCH_SIZE is 128 and TRAIN.IMS_PER_BATCH 3"),
        (["TRAIN.USE_OHEM", "True"], "BG_THRESH_LO is 0.1; with TRAIN.USE_OHEM it must be 0.0"),
        (["TRAIN.BG_THRESH_LO", "0.5"], "LO is 0.5 and TRAIN.BG_THRESH_HI 0.5; .* no RoI is background"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(pairs, message):
    with pytest.raises(DataError, match=message.replace("(", r"\(")):
        recorded_roidb(cfg_from_list(pairs))


def test_an_rpn_learns_from_photos_with_objects():
    without = photo_rois("a", 60, 50, objects(), np.array([[1, 2, 30, 40]]))
    photo = photo_rois("b", 60, 50, objects(([5, 5, 29, 29], 12), ([7, 8, 20, 40], 3)), np.zeros((0, 4)))
    roidb = Roidb([without, photo], FASTER_RCNN, CLASSES)
    assert (len(roidb), roidb.filtered) == (2, 1)
    assert [entry.gt_classes.tolist() for entry in roidb] == [[12, 3], [12, 3]]
    assert roidb[1].boxes.tolist() == [[30, 5, 54, 29], [39, 8, 52, 40]]
    assert roidb.means.tolist() == [0.0] * 84 and roidb.stds.tolist() == [0.1, 0.1, 0.2, 0.2] * 21
    with pytest.raises(DataError, match="no annotated object in any photo"):
        Roidb([without], FASTER_RCNN, CLASSES)
    every = cfg_from_list(["TRAIN.BATCH_SIZE", "-1"], FASTER_RCNN)  # py-R-FCN's
    assert len(Roidb([photo], every, CLASSES)) == 2


def test_a_class_that_the_data_set_does_not_have_is_refused():
    photo = photo_rois("", 60, 50, objects(([5, 5, 29, 29], 12)), np.zeros((0, 4)))
    with pytest.raises(DataError, match="class 12, but the data set has classes 0 to 11"):
        Roidb([photo], OHEM, CLASSES[:12])
    assert len(Roidb([photo], OHEM, CLASSES[:13]).means) == 52


def test_ten_thousand_photos_fit_in_memory():
    """2000 boxes a photo at 14 bytes are 0.28 GB; what an entry makes is thrown away."""
    rng = np.random.RandomState(2)
    corners = np.sort(rng.randint(0, 300, (2000, 2, 2)), axis=1).reshape(-1, 4)
    photo = photo_rois("p", 300, 300, objects(([20, 30, 199, 219], 5), ([4, 5, 80, 90], 2)), corners)
    photos = [replace(photo, path=str(i)) for i in range(40)]
    tracemalloc.start()
    photos += [Photo(*(np.copy(v) if isinstance(v, np.ndarray) else v for v in vars(photo).values()))]
    one = tracemalloc.get_traced_memory()[0]
    roidb = Roidb(photos, Config(), CLASSES)
    for entry in roidb:
        assert len(entry.boxes) == 2002
    del entry
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert one < 15 * 2002 + 2000
    assert kept - one < 40_000  # the list, means and stds
    assert peak < 2_000_000
