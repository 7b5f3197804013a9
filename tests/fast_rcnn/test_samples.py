import cv2
import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import propose
from caffe_compat.fast_rcnn.samples import DevkitSamples, PhotoSamples
from caffe_compat.fast_rcnn.voc import Devkit
from fast_rcnn.drawn import SIZES, annotation, picture


def rows(boxes) -> set[tuple[float, ...]]:
    return {tuple(box) for box in np.asarray(boxes).round().tolist()}


def test_an_ohem_minibatch_is_a_photo_with_its_objects_and_all_proposals(devkit):
    kit = Devkit(devkit)
    samples = DevkitSamples(kit, ohem=True, num_classes=21)
    assert len(samples) == 3
    blobs = samples[2]  # 100 x 80, scale 7.5
    assert blobs["data"].shape == (1, 3, 600, 750)
    proposals = propose(read_photo(kit.photo("000031")))
    objects = [[19, 9, 68, 58], [29, 19, 89, 74]]
    assert rows(blobs["rois"][:, 1:] / 7.5) == rows(objects) | rows(proposals)
    assert len(blobs["rois"]) == 2 + len(proposals)
    assert blobs["labels"][:2].tolist() == [15, 20]
    foreground = blobs["labels"] > 0
    assert foreground[: foreground.sum()].all()
    assert blobs["bbox_inside_weights"].sum(axis=1).tolist() == (4 * foreground).tolist()
    np.testing.assert_array_equal(blobs["bbox_outside_weights"], blobs["bbox_inside_weights"])


def test_an_ohem_minibatch_is_the_same_at_each_reading(devkit):
    samples = DevkitSamples(Devkit(devkit), ohem=True, num_classes=21)
    first, second = samples[1], samples[1]
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_plain_minibatch_is_128_rois_of_two_photos_in_a_circle(devkit):
    samples = DevkitSamples(Devkit(devkit), ohem=False, num_classes=21)
    assert len(samples) == 2
    np.random.seed(3)
    minibatches = list(samples)
    assert len(minibatches) == 2
    assert [blobs["data"].shape for blobs in minibatches] == [(2, 3, 943, 800), (2, 3, 600, 800)]
    for blobs in minibatches:
        assert len(blobs["labels"]) <= 128
        for image in (0, 1):
            labels = blobs["labels"][blobs["rois"][:, 0] == image]
            assert len(labels) <= 64 and 0 < np.count_nonzero(labels) <= 16
    np.random.seed(3)
    np.testing.assert_array_equal(samples[0]["rois"], minibatches[0]["rois"])
    assert not np.array_equal(samples[0]["rois"], minibatches[0]["rois"])


def test_samples_end(devkit):
    samples = DevkitSamples(Devkit(devkit), ohem=True, num_classes=21)
    np.testing.assert_array_equal(samples[-1]["rois"], samples[2]["rois"])
    with pytest.raises(IndexError):
        samples[3]


def test_photos_are_read_when_their_turn_comes(devkit):
    (devkit / "VOC2007/JPEGImages/000012.jpg").unlink()
    samples = DevkitSamples(Devkit(devkit), ohem=True, num_classes=21)
    assert len(samples[0]["rois"]) > 2
    with pytest.raises(DataError, match="cannot read the photo") as error:
        samples[1]
    assert error.value.file.endswith("000012.jpg")


def test_an_error_of_a_minibatch_names_its_photos(devkit):
    with pytest.raises(DataError, match="class 12, but the net has classes 0 to 4") as error:
        DevkitSamples(Devkit(devkit), ohem=True, num_classes=5)[0]
    assert error.value.file == str(devkit / "VOC2007/JPEGImages/000007.jpg")
    for image_id in SIZES:
        (devkit / f"VOC2007/Annotations/{image_id}.xml").write_text(annotation([]))
    with pytest.raises(DataError, match="there is no RoI") as error:
        DevkitSamples(Devkit(devkit), ohem=False, num_classes=21)[0]
    assert "000007.jpg, " in error.value.file and error.value.file.endswith("000012.jpg")


def test_photos_without_annotation_are_background(devkit):
    path = devkit / "VOC2007/JPEGImages/000007.jpg"
    samples = PhotoSamples([path], num_classes=4)
    assert len(samples) == 1
    (blobs,) = samples
    assert blobs["data"].shape == (1, 3, 600, 800)
    proposals = propose(read_photo(path))
    np.testing.assert_allclose(blobs["rois"][:, 1:], proposals * (600 / 90), rtol=1e-6)
    assert blobs["bbox_targets"].shape == (len(proposals), 16)
    assert not any(blobs[name].any() for name in blobs if name not in ("data", "rois"))


def test_a_photo_that_gives_no_roi_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "tiny.png"
    cv2.imwrite(str(path), picture(0, 2, 3))
    with pytest.raises(DataError, match="there is no RoI") as error:
        PhotoSamples([str(path)], 21)[0]
    assert error.value.file == str(path)


@pytest.mark.slow
def test_a_reference_photo_gives_about_2000_rois_at_600_x_800(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    blobs = DevkitSamples(Devkit(reference("VOCdevkit2007")), ohem=True, num_classes=21)[4]
    assert blobs["data"].shape == (1, 3, 600, 800)
    assert 1900 <= len(blobs["rois"]) <= 2020
    assert blobs["rois"][:, 1:].max() < 800 and blobs["rois"].min() >= 0
    assert 0 < np.count_nonzero(blobs["labels"]) < 0.5 * len(blobs["labels"])
