"""RoidbSource serves the reference's minibatches in the reference's order; SequentialSource those of a look."""

import cv2
import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import dataset_roidb, photos_roidb
from caffe_compat.fast_rcnn.config import OHEM, Config, cfg_from_list, in_order
from caffe_compat.fast_rcnn.dataset import Objects
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import propose
from caffe_compat.fast_rcnn.roidb import Roidb, photo_rois
from caffe_compat.fast_rcnn.source import RoidbSource, SequentialSource, minibatches
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit
from fast_rcnn.drawn import SIZES, annotation
from fast_rcnn.golden import recorded, recorded_roidb

NAMES = ("rois", "labels", "bbox_targets", "bbox_inside_weights", "bbox_outside_weights")
SCALES = cfg_from_list(["TRAIN.SCALES", "(480, 600)"])


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A folder of blank photos, as large as those of the recording and of their names."""
    folder = tmp_path_factory.mktemp("blank")
    for image_id in recorded("roidb")["image_id"][:5]:
        cv2.imwrite(str(folder / f"{image_id}.jpg"), np.zeros((375, 500, 3), np.uint8))
    return folder


def started(cfg: Config, folder) -> RoidbSource:
    roidb = recorded_roidb(cfg, folder)
    np.random.seed(3)
    return minibatches(roidb, 21)


def assert_recorded(blobs, record, batch: str) -> None:
    assert set(blobs) == {"data", *NAMES}
    assert blobs["data"].shape == tuple(record[f"{batch}/data_shape"])
    for name in NAMES:
        assert blobs[name].dtype == np.float32
        exact = {"rtol": 1e-6, "atol": 1e-7} if name == "bbox_targets" else {"rtol": 0}
        np.testing.assert_allclose(blobs[name], record[f"{batch}/{name}"], err_msg=name, **exact)


@pytest.mark.parametrize(
    ("name", "cfg", "batches"), [("minibatch_ohem", OHEM, 25), ("minibatch_frcn", Config(), 15)]
)
def test_minibatches_are_the_recorded_ones_past_several_shuffles(blank, name, cfg, batches):
    record, source = recorded(name), started(cfg, blank)
    np.testing.assert_array_equal(source.permutation, record["perm_first"])
    assert len(record["all_db_inds"]) == batches
    for batch in range(batches):
        blobs = source.next()
        indices = source.permutation[source.cursor - cfg.TRAIN.IMS_PER_BATCH : source.cursor]
        np.testing.assert_array_equal(indices, record["all_db_inds"][batch])
        rois, labels, count = record["all_sums"][batch]
        assert (blobs["labels"].sum(), len(blobs["labels"])) == (labels, count)
        assert blobs["rois"].sum(dtype=np.float64) == pytest.approx(rois, rel=1e-9)
        if batch < 6:
            assert_recorded(blobs, record, f"m{batch}")


def test_minibatches_of_two_scales_are_the_recorded_ones(blank):
    record, source = recorded("minibatch_frcn"), started(SCALES, blank)
    for batch in ("ms0", "ms1", "ms2"):
        blobs = source.next()
        indices = source.permutation[source.cursor - 2 : source.cursor]
        np.testing.assert_array_equal(indices, record[f"{batch}/db_inds"])
        assert_recorded(blobs, record, batch)


@pytest.mark.parametrize(
    ("name", "cfg", "batches"),
    [
        ("minibatch_ohem", OHEM, ["m0", "m1", "m2", "m3", "m4", "m5"]),
        ("minibatch_frcn", Config(), ["m0", "m1", "m2", "m3", "m4", "m5"]),
        ("minibatch_frcn", SCALES, ["ms0", "ms1", "ms2"]),
    ],
)
def test_the_image_blobs_are_the_recorded_ones(name, cfg, batches):
    record = recorded(name)
    source = started(cfg, reference("VOCdevkit2007/VOC2007/JPEGImages"))
    for batch in batches:
        data = source.next()["data"]
        np.testing.assert_allclose(data[:, :, ::37, ::41], record[f"{batch}/data_sample"], rtol=0, atol=1e-4)
        total = np.abs(data, dtype=np.float64).sum()
        assert total == pytest.approx(record[f"{batch}/data_abs_sum"], rel=1e-6)
        assert data.sum(dtype=np.float64) == pytest.approx(record[f"{batch}/data_sum"], rel=1e-5)


@pytest.mark.parametrize(("name", "cfg"), [("minibatch_ohem", OHEM), ("minibatch_frcn", Config())])
def test_the_order_of_upright_lying_and_square_photos_is_the_recorded_one(name, cfg):
    record = recorded(name)
    cfg = cfg_from_list(["TRAIN.USE_FLIPPED", "False"], cfg)
    one = Objects(np.array([[2, 2, 9, 9]], np.float32), np.array([1], np.int32))
    photos = [
        photo_rois("", width, height, one, np.zeros((0, 4)))
        for width, height in zip(record["shuffle/width"], record["shuffle/height"], strict=True)
    ]
    np.random.seed(3)
    source = RoidbSource(Roidb(photos, cfg, CLASSES), 21)
    got = [source.next_indices().tolist() for _ in range(40)]
    assert got == record["shuffle/db_inds"].tolist()


def test_pairs_of_an_odd_number_are_refused(blank):
    cfg = cfg_from_list(["TRAIN.USE_FLIPPED", "False"])
    with pytest.raises(DataError, match="ASPECT_GROUPING makes pairs, but there are 5 images"):
        minibatches(recorded_roidb(cfg, blank), 21)
    cfg = cfg_from_list(["TRAIN.ASPECT_GROUPING", "False"], cfg)
    assert len(minibatches(recorded_roidb(cfg, blank), 21).permutation) == 5


def test_a_state_goes_on_in_the_middle_of_an_epoch(blank):
    source = started(SCALES, blank)
    for _ in range(3):
        source.next()
    state, random = source.get_state(), np.random.get_state()
    want = [source.next() for _ in range(6)]
    assert all(isinstance(value, np.ndarray) for value in state.values())
    np.random.seed(99)
    other = minibatches(recorded_roidb(SCALES, blank), 21)
    other.set_state(state)
    np.random.set_state(random)
    for blobs in want:
        again = other.next()
        assert all(np.array_equal(blobs[name], again[name]) for name in blobs)


def test_the_state_of_other_data_is_refused(blank):
    state = started(Config(), blank).get_state()
    fewer = minibatches(recorded_roidb(cfg_from_list(["TRAIN.USE_FLIPPED", "False"], OHEM), blank), 21)
    with pytest.raises(DataError, match="the state is of 10 images, but there are 5"):
        fewer.set_state(state)
    fixed = cfg_from_list(["TRAIN.BBOX_NORMALIZE_TARGETS_PRECOMPUTED", "True"])
    with pytest.raises(DataError, match="the means of the bbox targets are not those of the state"):
        minibatches(recorded_roidb(fixed, blank), 21).set_state(state)


def test_a_photo_that_is_gone_is_named(blank, tmp_path):
    source = started(OHEM, tmp_path)
    with pytest.raises(DataError, match="cannot read the photo") as error:
        source.next()
    assert str(tmp_path) in error.value.file


# ---- in order, over a drawn devkit
def rows(boxes) -> set[tuple[float, ...]]:
    return {tuple(box) for box in np.asarray(boxes).round().tolist()}


def looked_at(devkit, cfg: Config, **options) -> SequentialSource:
    return SequentialSource(dataset_roidb(Devkit(devkit), in_order(cfg), **options), 21)


def test_an_ohem_minibatch_is_a_photo_with_its_objects_and_all_proposals(devkit):
    samples = looked_at(devkit, OHEM)
    assert len(samples) == 3
    blobs = samples[2]  # 100 x 80, scale 7.5
    assert blobs["data"].shape == (1, 3, 600, 750)
    proposals = propose(read_photo(Devkit(devkit).photo("000031")))
    objects = [[19, 9, 68, 58], [29, 19, 89, 74]]
    assert rows(blobs["rois"][:, 1:] / 7.5) == rows(objects) | rows(proposals)
    assert len(blobs["rois"]) == 2 + len(proposals)
    assert blobs["labels"][:2].tolist() == [15, 20]
    foreground = blobs["labels"] > 0
    assert foreground[: foreground.sum()].all()
    assert blobs["bbox_inside_weights"].sum(axis=1).tolist() == (4 * foreground).tolist()
    np.testing.assert_array_equal(blobs["bbox_outside_weights"], blobs["bbox_inside_weights"])
    again = samples[2]
    assert all(np.array_equal(blobs[name], again[name]) for name in blobs)


def test_a_plain_minibatch_is_128_rois_of_two_photos_in_a_circle(devkit):
    samples = looked_at(devkit, Config())
    assert len(samples) == 2
    np.random.seed(3)
    served = list(samples)
    assert [blobs["data"].shape for blobs in served] == [(2, 3, 943, 800), (2, 3, 600, 800)]
    for blobs in served:
        assert len(blobs["labels"]) <= 128
        for image in (0, 1):
            labels = blobs["labels"][blobs["rois"][:, 0] == image]
            assert len(labels) <= 64 and 0 < np.count_nonzero(labels) <= 16
    np.random.seed(3)
    np.testing.assert_array_equal(samples[0]["rois"], served[0]["rois"])
    assert not np.array_equal(samples[0]["rois"], served[0]["rois"])


def test_in_order_ends(devkit):
    samples = looked_at(devkit, OHEM)
    np.testing.assert_array_equal(samples[-1]["rois"], samples[2]["rois"])
    with pytest.raises(IndexError):
        samples[3]


def test_an_error_of_a_minibatch_names_its_photos(devkit):
    with pytest.raises(DataError, match="class 12, but the net has classes 0 to 4") as error:
        SequentialSource(dataset_roidb(Devkit(devkit), in_order(OHEM)), 5)[0]
    assert error.value.file == str(devkit / "VOC2007/JPEGImages/000007.jpg")
    for image_id in SIZES:
        (devkit / f"VOC2007/Annotations/{image_id}.xml").write_text(annotation([]))
    with pytest.raises(DataError, match="there is no RoI") as error:
        looked_at(devkit, Config())
    assert "000007.jpg, " in error.value.file and error.value.file.endswith("000012.jpg")


def test_photos_without_annotation_are_background(devkit):
    path = devkit / "VOC2007/JPEGImages/000007.jpg"
    samples = SequentialSource(photos_roidb([path], in_order(OHEM), CLASSES[:4]), num_classes=4)
    assert len(samples) == 1
    (blobs,) = samples
    assert blobs["data"].shape == (1, 3, 600, 800)
    proposals = propose(read_photo(path))
    np.testing.assert_allclose(blobs["rois"][:, 1:], proposals * (600 / 90), rtol=1e-6)
    assert blobs["bbox_targets"].shape == (len(proposals), 16)
    assert not any(blobs[name].any() for name in blobs if name not in ("data", "rois"))


@pytest.mark.slow
def test_a_reference_photo_gives_about_2000_rois_at_600_x_800(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    blobs = looked_at(reference("VOCdevkit2007"), OHEM, image_ids=["004545"])[0]
    assert blobs["data"].shape == (1, 3, 600, 800)
    assert 1900 <= len(blobs["rois"]) <= 2020
    assert blobs["rois"][:, 1:].max() < 800 and blobs["rois"].min() >= 0
    assert 0 < np.count_nonzero(blobs["labels"]) < 0.5 * len(blobs["labels"])
