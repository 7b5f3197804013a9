from dataclasses import replace

import numpy as np
import pytest
from recordings import GOLDEN, load

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import FASTER_RCNN, OHEM, Config, cfg_from_list
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.entries import RoidbEntry
from caffe_compat.fast_rcnn.minibatch import minibatch
from caffe_compat.fast_rcnn.roidb import Roidb, photo_rois
from caffe_compat.fast_rcnn.voc import CLASSES
from fast_rcnn.golden import recorded_roidb

BLANK = np.zeros((375, 500, 3), np.uint8)  # as large as the photos of the recording


def test_photos_of_different_sizes_share_a_batch():
    entries = recorded_roidb(OHEM)[0], recorded_roidb(OHEM)[1]
    blobs = minibatch([BLANK, np.zeros((300, 600, 3), np.uint8)], entries, 21, OHEM)
    assert blobs["data"].shape == (2, 3, 600, 1000)
    first = len(entries[0].boxes)
    assert blobs["rois"][:, 0].tolist() == [0] * first + [1] * len(entries[1].boxes)
    scales = np.where(blobs["rois"][:, :1] == 0, 1.6, 1000 / 600)
    boxes = {tuple(box) for entry in entries for box in entry.boxes}
    assert {tuple(box) for box in (blobs["rois"][:, 1:] / scales).round()} == boxes
    assert len(blobs["bbox_targets"]) == first + len(entries[1].boxes)


def test_a_class_the_net_does_not_have_is_refused():
    entry = recorded_roidb(OHEM)[0]
    most = int(entry.bbox_targets[:, 0].max())
    assert minibatch([BLANK], [entry], most + 1, OHEM)["bbox_targets"].shape[1] == 4 * (most + 1)
    with pytest.raises(DataError, match=f"class {most}, but the net has classes 0 to {most - 1}"):
        minibatch([BLANK], [entry], most, OHEM)


@pytest.mark.parametrize("overlap", [0.0, 0.09])
def test_nothing_to_sample_is_refused(overlap):
    entry = recorded_roidb(OHEM)[0]
    entry = replace(entry, max_overlaps=np.full(len(entry.boxes), overlap, np.float32))
    with pytest.raises(DataError, match="there is no RoI"):
        minibatch([BLANK, BLANK], [entry, entry], 21, Config())
    assert len(minibatch([BLANK], [entry], 21, OHEM)["rois"]) == len(entry.boxes)


def test_the_configuration_says_how_many_rois_of_which_overlap():
    pairs = (
        "TRAIN.BATCH_SIZE 40 TRAIN.FG_FRACTION 0.3 TRAIN.FG_THRESH 0.7 TRAIN.BG_THRESH_HI 0.4 "
        "TRAIN.BG_THRESH_LO 0.2 TRAIN.BBOX_INSIDE_WEIGHTS (1,2,0,4)"
    )
    cfg = cfg_from_list(pairs.split())
    entry = recorded_roidb(cfg)[2]
    np.random.seed(5)
    blobs = minibatch([BLANK], [entry], 21, cfg)
    boxes = (blobs["rois"][:, 1:] / 1.6).round()
    overlaps = [entry.max_overlaps[(entry.boxes == box).all(axis=1)].max() for box in boxes]
    labels = blobs["labels"]
    assert (len(labels), np.count_nonzero(labels)) == (40, 12)
    for overlap, label in zip(overlaps, labels, strict=True):
        assert overlap >= 0.7 if label else 0.2 <= overlap < 0.4
    inside = blobs["bbox_inside_weights"].reshape(40, 21, 4)
    for row, label in enumerate(labels.astype(int)):
        assert inside[row, label].tolist() == ([1, 2, 0, 4] if label else [0, 0, 0, 0])
    assert (blobs["bbox_outside_weights"] == (blobs["bbox_inside_weights"] > 0)).all()


def test_without_box_regression_there_are_no_boxes():
    cfg = cfg_from_list(["TRAIN.BBOX_REG", "False"], OHEM)
    assert set(minibatch([BLANK], [recorded_roidb(cfg)[0]], 21, cfg)) == {"data", "rois", "labels"}


@pytest.mark.parametrize("case", [0, 1, 2])
def test_annotated_boxes_of_the_original(case):
    golden = load(GOLDEN / "rpn" / "minibatch.npz")
    want = {key[2:]: value for key, value in golden.items() if key.startswith(f"{case}:")}
    scales, most = [",".join(map(str, want["SCALES"])) + ",", str(want["MAX_SIZE"])]
    cfg = cfg_from_list(["TRAIN.SCALES", f"({scales})", "TRAIN.MAX_SIZE", most], FASTER_RCNN)
    image, flipped = want["in:image"], bool(want["flipped"])
    first = np.argsort(want["in:gt_classes"] == 0, kind="stable")  # objects stand first in our roidb
    entry = rpn_entry(want["in:boxes"][first], want["in:gt_classes"][first], flipped)
    np.random.seed(want["seed"])
    blobs = minibatch([image[:, ::-1] if flipped else image], [entry], 21, cfg)
    np.testing.assert_array_equal(np.random.uniform(size=2), want["next"])
    assert list(blobs) == ["data", "im_info", "gt_boxes"]
    assert all(array.dtype == np.float32 for array in blobs.values())
    np.testing.assert_array_equal(blobs["gt_boxes"], want["gt_boxes"])
    np.testing.assert_array_equal(blobs["im_info"], want["im_info"])
    np.testing.assert_allclose(blobs["data"], want["data"], rtol=0, atol=1e-3)


def rpn_entry(boxes, classes, flipped):
    classes, nothing = classes[classes > 0], np.zeros(len(boxes))
    return RoidbEntry("p", flipped, boxes.astype(np.float32), classes, nothing, nothing, nothing)


def test_annotated_boxes_that_do_not_fit_are_refused():
    photo = photo_rois("", 500, 375, Objects(np.array([[5, 6, 70, 80]]), np.array([12])), np.zeros((0, 4)))
    entry = Roidb([photo], FASTER_RCNN, CLASSES)[0]
    assert minibatch([BLANK], [entry], 13, FASTER_RCNN)["gt_boxes"][0, 4] == 12
    with pytest.raises(DataError, match="class 12, but the net has classes 0 to 11"):
        minibatch([BLANK], [entry], 12, FASTER_RCNN)
    with pytest.raises(DataError, match="there is no object"):
        minibatch([BLANK], [replace(entry, gt_classes=entry.gt_classes[:0])], 21, FASTER_RCNN)
