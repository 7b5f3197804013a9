from pathlib import Path

import cv2
import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn import proposals
from caffe_compat.fast_rcnn.boxes import bbox_overlaps
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.voc import Devkit
from fast_rcnn.drawn import picture
from fast_rcnn.golden import recorded


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "caffe-compat" / "proposals"


def assert_sound(boxes: np.ndarray, height: int, width: int) -> None:
    assert boxes.dtype == np.float32 and boxes.shape[1] == 4 and 0 < len(boxes) <= 2000
    assert (boxes == boxes.round()).all() and (boxes >= 0).all()
    assert (boxes[:, 2] < width).all() and (boxes[:, 3] < height).all()
    assert (boxes[:, 2] - boxes[:, 0] >= 2).all() and (boxes[:, 3] - boxes[:, 1] > 2).all()
    assert len(np.unique(boxes, axis=0)) == len(boxes)


@pytest.mark.parametrize("i", range(5))
def test_duplicates_and_small_boxes_go_as_recorded(i):
    roidb = recorded("roidb")
    found = recorded("proposals")[str(roidb["image_id"][i])]
    want = roidb[f"e{i}/boxes"][roidb[f"e{i}/gt_classes"] == 0]
    np.testing.assert_array_equal(found[proposals.usable(found)], want)
    assert len(want) < len(found)


def test_usable_keeps_the_first_of_equal_boxes():
    boxes = np.array([[5, 5, 9, 9], [0, 0, 2, 3], [5, 5, 9, 9], [0, 0, 1, 3], [0, 0, 2, 2], [1, 0, 3, 3]])
    assert proposals.usable(boxes).tolist() == [0, 1, 5]
    assert proposals.usable(np.zeros((0, 4))).tolist() == []


def test_an_object_on_plain_ground_is_found():
    image = np.full((120, 160, 3), 40, np.uint8)
    image[30:90, 50:110] = (30, 60, 220)
    found = proposals.selective_search(image)
    assert_sound(found, 120, 160)
    assert bbox_overlaps(found, np.array([[50, 30, 109, 89]])).max() > 0.9


def test_the_same_photo_gives_the_same_boxes_in_the_same_order():
    image = picture(6, 150, 200)
    first = proposals.selective_search(image)
    for _ in range(3):
        np.testing.assert_array_equal(proposals.selective_search(image), first)


def test_numpys_global_random_numbers_are_left_alone():
    np.random.seed(7)
    want = np.random.randint(0, 1000, 5)
    np.random.seed(7)
    proposals.selective_search(picture(6, 60, 80))
    np.testing.assert_array_equal(np.random.randint(0, 1000, 5), want)


def test_no_more_than_2000_boxes():
    rng = np.random.RandomState(1)
    image = cv2.resize(rng.randint(0, 256, (60, 80, 3)).astype(np.uint8), (480, 360))
    boxes = proposals.selective_search(image)
    assert len(boxes) == 2000
    assert_sound(boxes, 360, 480)
    areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    assert areas[:1000].mean() == pytest.approx(areas[1000:].mean(), rel=0.5)  # the pick is a fair one


def test_a_large_photo_is_searched_smaller_and_its_boxes_lie_in_the_photo():
    image = np.full((900, 1501, 3), 40, np.uint8)
    image[300:600, 600:1200] = (30, 60, 220)
    found = proposals.selective_search(image)
    assert_sound(found, 900, 1501)
    assert found[:, 2].max() == 1500 and found[:, 3].max() == 899
    assert bbox_overlaps(found, np.array([[600, 300, 1199, 599]])).max() > 0.95


def test_a_photo_of_few_pixels_has_no_proposals():
    assert proposals.selective_search(np.zeros((1, 2, 3), np.uint8)).shape == (0, 4)


def test_proposals_are_kept_on_disk(cache, monkeypatch):
    image = picture(6, 60, 80)
    want = proposals.propose(image)
    (file,) = cache.iterdir()
    assert file.suffix == ".npz"

    def search_again(image):
        raise AssertionError("searched again")

    monkeypatch.setattr(proposals, "selective_search", search_again)
    np.testing.assert_array_equal(proposals.propose(image), want)
    changed = image.copy()
    changed[0, 0, 0] += 1
    with pytest.raises(AssertionError):
        proposals.propose(changed)
    with pytest.raises(AssertionError):  # the same bytes in another shape
        proposals.propose(image.reshape(80, 60, 3))


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "text", "other"])
def test_a_damaged_cache_file_is_searched_and_written_anew(cache, damage):
    image = picture(6, 60, 80)
    want = proposals.propose(image)
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    if damage == "flipped":
        content[middle] ^= 0xFF
    if damage == "other":
        np.savez(file, boxes=np.zeros((3, 5)))
    else:
        new = {"empty": b"", "half": content[:middle], "flipped": content, "text": b"hello"}[damage]
        file.write_bytes(new)
    np.testing.assert_array_equal(proposals.propose(image), want)
    with np.load(file) as stored:
        np.testing.assert_array_equal(stored["boxes"], want)
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_costs_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot keep the proposals in .*: Not a directory"):
        assert len(proposals.propose(picture(6, 60, 80))) > 0


def test_an_opencv_without_selective_search_is_told(monkeypatch):
    monkeypatch.delattr(cv2, "ximgproc")
    with pytest.raises(DataError, match=r"has no selective search.*opencv-contrib-python-headless"):
        proposals.selective_search(picture(6, 60, 80))


def test_without_a_file_proposals_are_searched(cache):
    image = picture(6, 60, 80)
    np.testing.assert_array_equal(proposals.proposals_from(None, [])("any", image), proposals.propose(image))


@pytest.mark.slow
def test_a_reference_photo_has_about_2000_proposals_that_find_its_objects():
    kit = Devkit(reference("VOCdevkit2007"))
    best = []
    for image_id in kit.image_ids:
        found = proposals.selective_search(read_photo(kit.photo(image_id)))
        assert_sound(found, 375, 500)
        assert 1800 <= len(found) <= 2000
        best += bbox_overlaps(kit.objects(image_id).boxes, found).max(axis=1).tolist()
    assert np.mean(np.array(best) >= 0.5) >= 0.8
