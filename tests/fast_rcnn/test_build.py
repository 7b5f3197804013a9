import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn import build, proposals
from caffe_compat.fast_rcnn.build import dataset_roidb, photos_roidb
from caffe_compat.fast_rcnn.config import OHEM, Config
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit
from fast_rcnn.drawn import SIZES
from fast_rcnn.golden import PIPELINE, recorded


@pytest.mark.parametrize("file", ["proposals.npz", "voc_2007_trainval.mat"])
def test_a_devkit_and_a_file_of_proposals_make_the_recorded_roidb(file):
    if file.endswith(".mat"):
        pytest.importorskip("scipy")
    record = recorded("roidb")
    kit = Devkit(reference("VOCdevkit2007"))
    roidb = dataset_roidb(kit, Config(), PIPELINE / file)
    assert len(roidb) == 10
    for i, entry in enumerate(roidb):
        assert (entry.path, entry.flipped) == (str(kit.photo(record["image_id"][i])), record["flipped"][i])
        np.testing.assert_array_equal(entry.boxes, record[f"e{i}/boxes"])
        np.testing.assert_array_equal(entry.max_overlaps, record[f"e{i}/max_overlaps"])
        np.testing.assert_allclose(entry.bbox_targets, record[f"e{i}/bbox_targets"], rtol=1e-6, atol=1e-7)


def test_photos_keep_their_order_and_progress_is_told(devkit):
    told = []
    roidb = dataset_roidb(Devkit(devkit), OHEM, on_photo=lambda name, total: told.append((name, total)))
    assert told == [(image_id, 3) for image_id in SIZES]
    assert [(photo.height, photo.width) for photo in roidb.photos] == list(SIZES.values())
    assert [entry.flipped for entry in roidb] == [False] * 3 + [True] * 3
    some = dataset_roidb(Devkit(devkit), OHEM, image_ids=["000031", "000007"])
    assert [photo.width for photo in some.photos] == [100, 120]


def test_searches_run_at_the_same_time(devkit, monkeypatch):
    """Each waits until another one has begun."""
    import threading

    both = threading.Barrier(2, timeout=20)

    def search(image):
        both.wait()
        return np.array([[1, 1, 30, 30]], np.float32)

    monkeypatch.setattr(build.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(proposals, "propose", search)
    assert len(dataset_roidb(Devkit(devkit), OHEM, image_ids=["000007", "000012"])) == 4


def test_a_bad_photo_ends_it_or_is_left_out_and_counted(devkit):
    kit = Devkit(devkit)
    kit.photo("000012").write_bytes(kit.photo("000012").read_bytes()[:900])
    with pytest.raises(DataError, match="the JPEG is cut off") as error:
        dataset_roidb(kit, OHEM)
    assert error.value.file == str(kit.photo("000012"))
    roidb = dataset_roidb(kit, OHEM, skip_bad_images=True)
    assert [photo.path for photo in roidb.photos] == [str(kit.photo("000007")), str(kit.photo("000031"))]
    (message,) = roidb.skipped
    assert message.startswith(f"{kit.photo('000012')}: the JPEG is cut off after 900 bytes")
    for image_id in SIZES:
        kit.photo(image_id).unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"none of the 3 images of the image set can be used: .*000007"):
        dataset_roidb(kit, OHEM, skip_bad_images=True)


def test_a_bad_annotation_or_proposal_ends_it_all_the_same(devkit, tmp_path):
    kit = Devkit(devkit)
    np.savez(tmp_path / "p.npz", **{image_id: np.array([[5, 5, 99, 20.0]]) for image_id in SIZES})
    with pytest.raises(
        DataError, match="image '000012', row 0: x1 y1 x2 y2 = 5 5 99 20 is not inside the photo of 70 x 110"
    ) as error:
        dataset_roidb(kit, OHEM, tmp_path / "p.npz", skip_bad_images=True)
    assert error.value.file == str(tmp_path / "p.npz")
    path = devkit / "VOC2007/Annotations/000031.xml"
    path.write_text(path.read_text().replace("person", "persom"))
    with pytest.raises(DataError, match=r"class 'persom', .* or mend the name") as error:
        dataset_roidb(kit, OHEM, skip_bad_images=True)
    assert error.value.file == str(path)


def test_photos_of_ones_own(devkit):
    told = []
    paths = [Devkit(devkit).photo("000012")]
    roidb = photos_roidb(paths, OHEM, CLASSES[:4], lambda name, total: told.append((name, total)))
    assert told == [("000012.jpg", 1)] and len(roidb.means) == 16
    assert len(roidb[0].boxes) > 0 and not roidb[0].max_classes.any()
