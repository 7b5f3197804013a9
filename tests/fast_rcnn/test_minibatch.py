from dataclasses import replace

import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.minibatch import frcn_blobs, ohem_blobs
from fast_rcnn.golden import recorded, recorded_entries

BLANK = np.zeros((375, 500, 3), np.uint8)  # as large as the photos of the recording
NAMES = ("rois", "labels", "bbox_targets", "bbox_inside_weights", "bbox_outside_weights")


def assert_recorded(blobs, record, batch: str) -> None:
    assert set(blobs) == {"data", *NAMES}
    assert blobs["data"].shape == tuple(record[f"{batch}/data_shape"])
    for name in NAMES:
        assert blobs[name].dtype == np.float32
        np.testing.assert_array_equal(blobs[name], record[f"{batch}/{name}"], err_msg=name)


@pytest.mark.parametrize("batch", range(6))
def test_all_rois_of_a_photo_are_as_recorded(batch):
    record, entries = recorded("minibatch_ohem"), recorded_entries()
    (index,) = record[f"m{batch}/db_inds"]
    assert_recorded(ohem_blobs([BLANK], [entries[index]], 21), record, f"m{batch}")


def shuffled(count: int) -> np.ndarray:
    """The order of the reference's aspect grouping, all photos lying: draws for lying, upright, and pairs."""
    lying, upright = np.random.permutation(count), np.random.permutation(0)
    pairs = np.concatenate((lying, upright.astype(int))).reshape(-1, 2)
    return pairs[np.random.permutation(len(pairs))].ravel()


def test_sampled_rois_are_as_recorded():
    record, entries = recorded("minibatch_frcn"), recorded_entries()
    np.random.seed(3)
    order, position = shuffled(10), 0
    np.testing.assert_array_equal(order, record["perm_first"])
    for batch in range(15):
        if position + 2 >= 10:
            order, position = shuffled(10), 0
        indices = order[position : position + 2]
        position += 2
        np.testing.assert_array_equal(indices, record["all_db_inds"][batch])
        blobs = frcn_blobs([BLANK, BLANK], [entries[i] for i in indices], 21)
        rois, labels, count = record["all_sums"][batch]
        assert (blobs["labels"].sum(), len(blobs["labels"])) == (labels, count)
        assert blobs["rois"].sum(dtype=np.float64) == pytest.approx(rois, rel=1e-9)
        if batch < 6:
            assert_recorded(blobs, record, f"m{batch}")


@pytest.mark.parametrize("batch", range(6))
def test_the_image_blob_is_the_recorded_one(batch):
    record = recorded("minibatch_ohem")
    image_id, flipped = record[f"m{batch}/image_id"][0], record[f"m{batch}/flipped"][0]
    image = read_photo(reference(f"VOCdevkit2007/VOC2007/JPEGImages/{image_id}.jpg"))
    if flipped:
        image = image[:, ::-1]
    (index,) = record[f"m{batch}/db_inds"]
    data = ohem_blobs([image], [recorded_entries()[index]], 21)["data"]
    np.testing.assert_allclose(data[:, :, ::37, ::41], record[f"m{batch}/data_sample"], rtol=0, atol=1e-4)
    assert np.abs(data, dtype=np.float64).sum() == pytest.approx(record[f"m{batch}/data_abs_sum"], rel=1e-6)
    assert data.sum(dtype=np.float64) == pytest.approx(record[f"m{batch}/data_sum"], rel=1e-5)


def test_photos_of_different_sizes_share_a_batch():
    entries = recorded_entries()[:2]
    blobs = ohem_blobs([BLANK, np.zeros((300, 600, 3), np.uint8)], entries, 21)
    assert blobs["data"].shape == (2, 3, 600, 1000)
    first = len(entries[0].boxes)
    assert blobs["rois"][:, 0].tolist() == [0] * first + [1] * len(entries[1].boxes)
    scales = np.where(blobs["rois"][:, :1] == 0, 1.6, 1000 / 600)
    boxes = {tuple(box) for entry in entries for box in entry.boxes}
    assert {tuple(box) for box in (blobs["rois"][:, 1:] / scales).round()} == boxes
    assert len(blobs["bbox_targets"]) == first + len(entries[1].boxes)


def test_a_class_the_net_does_not_have_is_refused():
    entries = recorded_entries()
    most = int(entries[0].bbox_targets[:, 0].max())
    assert ohem_blobs([BLANK], entries[:1], most + 1)["bbox_targets"].shape[1] == 4 * (most + 1)
    with pytest.raises(DataError, match=f"class {most}, but the net has classes 0 to {most - 1}"):
        ohem_blobs([BLANK], entries[:1], most)


@pytest.mark.parametrize("overlap", [0.0, 0.09])
def test_nothing_to_sample_is_refused(overlap):
    entry = recorded_entries()[0]
    entry = replace(entry, max_overlaps=np.full(len(entry.boxes), overlap, np.float32))
    with pytest.raises(DataError, match="there is no RoI"):
        frcn_blobs([BLANK, BLANK], [entry, entry], 21)
    assert len(ohem_blobs([BLANK], [entry], 21)["rois"]) == len(entry.boxes)
