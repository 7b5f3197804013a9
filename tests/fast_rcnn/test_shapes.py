"""The drawn data set is deterministic, in VOC's format, and its boxes are where the shapes are."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.boxes import bbox_overlaps
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import selective_search
from caffe_compat.fast_rcnn.scene import COLOURS, SHAPES, class_name
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit

IMAGES = 60


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    make_shapes(folder, IMAGES, seed=7)
    return folder


def pictures(folder: Path):
    """Image id, pixels and annotation of each image."""
    for image_set in ("trainval", "test"):
        kit = Devkit(folder, image_set=image_set)
        for image_id in kit.image_ids:
            image = read_photo(kit.photo(image_id))
            yield image_id, image, kit.objects(image_id)


def test_every_class_is_a_shape_in_a_colour():
    names = [class_name(shape, colour) for shape in SHAPES for colour in COLOURS]
    assert names == list(CLASSES[1:])
    assert (class_name("disc", "green"), class_name("ring", "yellow")) == ("bicycle", "tvmonitor")


def test_a_fifth_of_the_images_is_for_tests_and_all_are_told(tmp_path):
    told = []
    root = make_shapes(tmp_path, 11, 3, told.append)
    assert root == tmp_path / "VOC2007"
    assert told == [f"{i:06d}" for i in range(1, 12)]
    assert Devkit(tmp_path, image_set="test").image_ids == ["000005", "000010"]
    assert Devkit(tmp_path).image_ids == [name for name in told if name not in ("000005", "000010")]


def test_the_same_seed_draws_the_same_images_however_many(shapes, tmp_path):
    make_shapes(tmp_path / "again", 6, seed=7)
    make_shapes(tmp_path / "other", 6, seed=8)
    for path in sorted((tmp_path / "again/VOC2007").rglob("0*.*")):
        name = path.relative_to(tmp_path / "again")
        assert path.read_bytes() == (shapes / name).read_bytes()
        assert path.read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_images_are_small_with_one_to_five_objects_of_all_classes(shapes):
    counts, classes, upright, sides = [], set(), 0, []
    for _, image, annotation in pictures(shapes):
        assert (min(image.shape[:2]), max(image.shape[:2])) >= (200, 260) and max(image.shape[:2]) < 320
        upright += image.shape[0] > image.shape[1]
        counts.append(len(annotation.boxes))
        classes.update(annotation.classes.tolist())
        sides += (annotation.boxes[:, 2:] - annotation.boxes[:, :2] + 1).max(axis=1).tolist()
    assert len(counts) == IMAGES and set(counts) == {1, 2, 3, 4, 5}
    assert len(classes) == 20
    assert IMAGES / 6 < upright < IMAGES / 2
    assert 20 < min(sides) < 50 and 100 < max(sides) < 160


def test_the_boxes_hold_the_colours_of_their_classes(shapes):
    """Of the four colours, a class's own is the nearest one to the vivid pixels in its boxes."""
    palette = np.array(list(COLOURS.values()), float)
    right = total = 0
    for _, image, annotation in pictures(shapes):
        for (x1, y1, x2, y2), cls in zip(annotation.boxes.astype(int), annotation.classes, strict=True):
            pixels = image[y1 : y2 + 1, x1 : x2 + 1].reshape(-1, 3).astype(float)
            vivid = pixels[np.ptp(pixels, axis=1) > 90]
            nearest = np.linalg.norm(vivid[:, None] - palette, axis=2).argmin(axis=1)
            right += np.bincount(nearest, minlength=4).argmax() == (cls - 1) % 4
            total += 1
    assert right > 0.9 * total


def test_objects_lie_over_each_other_but_none_is_hidden(shapes):
    overlapping = 0
    for _, _, annotation in pictures(shapes):
        overlaps = np.triu(bbox_overlaps(annotation.boxes, annotation.boxes), 1)
        overlapping += (overlaps > 0.1).any()
    assert overlapping > IMAGES / 8
    texts = [path.read_text() for path in (shapes / "VOC2007/Annotations").iterdir()]
    assert any("<truncated>1" in text for text in texts) and any("<truncated>0" in text for text in texts)


def test_selective_search_finds_most_objects(shapes):
    found = []
    for _, image, annotation in list(pictures(shapes))[:3]:
        found += bbox_overlaps(annotation.boxes, selective_search(image)).max(axis=1).tolist()
    assert np.mean(np.array(found) >= 0.5) > 0.8


def test_a_data_set_that_is_there_is_not_touched(shapes, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in shapes.rglob("*")}
    with pytest.raises(DataError, match="there is a data set already") as error:
        make_shapes(shapes, 5)
    assert error.value.file == str(shapes / "VOC2007")
    assert {path: path.stat().st_mtime_ns for path in shapes.rglob("*")} == before
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write the data set: Not a directory"):
        make_shapes(tmp_path / "file", 5)
    with pytest.raises(DataError, match=r"4 image\(s\) are asked for"):
        make_shapes(tmp_path, 4)


def test_an_interrupted_set_is_not_taken_for_whole(tmp_path):
    def stop(name):
        if name == "000003":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_shapes(tmp_path / "kit", images=5, on_image=stop)
    assert not list((tmp_path / "kit").iterdir())
    make_shapes(tmp_path / "kit", images=5)
    assert (tmp_path / "kit/VOC2007/ImageSets/Main/test.txt").read_text() == "000005\n"
    with pytest.raises(DataError, match="there is a data set already"):
        make_shapes(tmp_path / "kit", images=5)
