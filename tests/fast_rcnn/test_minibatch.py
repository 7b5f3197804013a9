from dataclasses import replace

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import OHEM, Config, cfg_from_list
from caffe_compat.fast_rcnn.minibatch import minibatch
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
