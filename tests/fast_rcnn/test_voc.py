import shutil
from pathlib import Path

import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit, class_names, has_image_sets
from fast_rcnn.drawn import SIZES, annotation, write_devkit
from fast_rcnn.golden import recorded

ANNOTATED = cfg_from_list(["TRAIN.PROPOSAL_METHOD", "gt"], OHEM)


def test_names_of_a_nets_classes():
    assert class_names(21) == CLASSES
    assert class_names(3) == ("__background__", "class 1", "class 2")


def test_the_classes_are_the_20_of_voc():
    assert len(CLASSES) == 21
    assert (CLASSES[0], CLASSES[1], CLASSES[15], CLASSES[20]) == (
        "__background__",
        "aeroplane",
        "person",
        "tvmonitor",
    )


def test_an_image_set_is_read_in_its_order(devkit):
    assert Devkit(devkit).image_ids == ["000007", "000012", "000031"]
    assert Devkit(str(devkit), 2007, "val").image_ids == ["000031"]
    assert Devkit(devkit).photo("000012") == devkit / "VOC2007/JPEGImages/000012.jpg"


def test_an_annotation_counts_from_zero_and_leaves_difficult_objects_out(devkit):
    found = Devkit(devkit).objects("000007")
    assert (found.boxes.dtype, found.classes.dtype) == (np.float64, np.int32)
    assert found.boxes.tolist() == [[10, 20, 59, 69], [4, 4, 29, 79], [69, 39, 119, 89]]
    assert found.classes.tolist() == [12, 15, 7] and found.difficult.tolist() == [False, True, False]
    photo = dataset_roidb(Devkit(devkit), ANNOTATED, image_ids=["000007"]).photos[0]
    assert photo.boxes.tolist() == [[10, 20, 59, 69], [69, 39, 119, 89]]
    assert photo.gt_classes.tolist() == [12, 7]


def test_names_are_trimmed_and_fractions_cut_off(devkit):
    assert Devkit(devkit).objects("000012").classes.tolist() == [8]
    assert Devkit(devkit).objects("000031").boxes[1].tolist() == [29, 19, 89, 74]


def test_an_annotation_without_objects_and_one_without_the_difficult_field(devkit):
    path = devkit / "VOC2007/Annotations/000007.xml"
    path.write_text(annotation([]))
    found = Devkit(devkit).objects("000007")
    assert (found.boxes.shape, found.classes.shape) == ((0, 4), (0,))
    for instead in ("", "<difficult/>", "<difficult> </difficult>"):
        text = annotation([("dog", (1, 1, 5, 5), 0)]).replace("<difficult>0</difficult>", instead)
        path.write_text(text)
        found = Devkit(devkit).objects("000007")
        assert (found.classes.tolist(), found.difficult.tolist()) == ([12], [False])


@pytest.mark.parametrize("place", ["VOCdevkit/VOC2007", "plain", "parent/whatever", "flat", "small letters"])
def test_folders_as_people_have_them(devkit, place):
    """The photos are png, JPG and jpeg, there are no image sets."""
    data = devkit / "VOC2007"
    shutil.rmtree(data / "ImageSets")
    for name, suffix in (("000007", ".png"), ("000012", ".JPG"), ("000031", ".jpeg")):
        (data / f"JPEGImages/{name}.jpg").rename(data / f"JPEGImages/{name}{suffix}")
    root = devkit.parent / place
    if place == "flat":
        root.mkdir()
        for path in [*data.glob("*/*.*")]:
            path.rename(root / path.name)
    elif root != data:
        root.parent.mkdir(exist_ok=True)
        data.rename(root)
    if place == "small letters":
        (root / "Annotations").rename(root / "annotations")
        (root / "JPEGImages").rename(root / "images")
    path = root.parent if place == "parent/whatever" else root
    kit = Devkit(path, image_set=None)
    assert kit.image_ids == ["000007", "000012", "000031"] and kit.folder == root
    suffixes = [read_photo(kit.photo(image_id)).shape[:2] for image_id in kit.image_ids]
    assert suffixes == list(SIZES.values())
    assert kit.objects("000012").classes.tolist() == [8]
    here = "whatever " if path != root else ""
    assert kit.name == f"{here}all photos of {path}" and kit.image_set == "all"
    assert not has_image_sets(kit.folder)


def test_without_an_image_set_numbers_count(tmp_path):
    for name in ("a10", "a2", "b", "a2 01", "a2 1", "10", "9"):
        (tmp_path / f"{name}.xml").touch()
    assert Devkit(tmp_path, image_set=None).image_ids == ["9", "10", "a2", "a2 01", "a2 1", "a10", "b"]


def test_of_photos_of_one_id_the_jpg_is_taken(devkit):
    photos = devkit / "VOC2007/JPEGImages"
    for suffix in (".png", ".JPG"):
        shutil.copy(photos / "000007.jpg", photos / f"000007{suffix}")
    kit = Devkit(devkit)
    assert kit.photo("000007").name == "000007.jpg"
    (photos / "000007.jpg").unlink()
    assert kit.photo("000007").name == "000007.JPG"
    assert Devkit(devkit).photo("gone") == photos / "gone.jpg"


@pytest.mark.parametrize(
    "content",
    [
        b"000031\r\n\r\n000007\r\n",
        b"\xef\xbb\xbf000031.jpg\n000007.JPG",
        "000031\n000007\n".encode("utf-16"),
        b"000031  1\n000007 -1\n",
        b"VOC2007/JPEGImages/000031.jpg VOC2007/Annotations/000031.xml\n000007.jpg 0 3\n",
        b"/data/JPEGImages/000031.jpg\nAnnotations/000007.xml\n",
    ],
)
def test_image_sets_as_people_have_them(devkit, content):
    sets = devkit / "VOC2007/ImageSets"
    (sets / "own.txt").write_bytes(content)
    assert Devkit(devkit, image_set="own").image_ids == ["000031", "000007"]
    (sets / "own.txt").rename(devkit / "VOC2007/other.txt")
    assert Devkit(devkit, image_set="other").image_ids == ["000031", "000007"]


def test_an_id_may_have_blanks_points_and_folders(devkit):
    data = devkit / "VOC2007"
    names = ["IMG 1", "IMG 1 2", "a.v2", "cam/7"]
    for folder, suffix, source in (("Annotations", ".xml", "000007"), ("JPEGImages", ".png", "000007")):
        (data / folder / "cam").mkdir()
        for name in names:
            old = ".jpg" if suffix == ".png" else suffix
            shutil.copy(data / folder / f"{source}{old}", data / folder / f"{name}{suffix}")
    (data / "ImageSets/Main/own.txt").write_text(
        "IMG 1.png\nIMG 1 2\na.v2 1\ncam/7.png\nJPEGImages\\IMG 1.png\nnew 1\nnew 5\n"
    )
    kit = Devkit(devkit, image_set="own")
    assert kit.image_ids == [*names, "IMG 1", "new", "new 5"]  # VOC's labels are -1, 0 and 1
    assert [kit.photo(name) for name in names] == [data / f"JPEGImages/{name}.png" for name in names]


def test_an_xml_with_a_byte_order_mark_and_the_size_it_tells(devkit):
    path = devkit / "VOC2007/Annotations/000007.xml"
    text = path.read_text().replace(
        "<annotation>", "<annotation><size><width>120</width><height>90</height></size>"
    )
    for content in (b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        path.write_bytes(content)
        found = Devkit(devkit).objects("000007")
        assert (len(found.classes), found.size, found.counts_from) == (3, (120, 90), 1)
    path.write_bytes(f"<?xml version='1.0' encoding='gbk'?>{text.replace('dog', '螺栓')}".encode("gbk"))
    assert (
        Devkit(devkit, classes=("__background__", "螺栓", "car", "person")).objects("000007").classes[0] == 1
    )
    path.write_text(text.replace("120", "0"))
    assert Devkit(devkit).objects("000007").size is None


def test_classes_of_ones_own(devkit):
    own = ("__background__", "Tvmonitor", "CAT", "dog", "person", "car")
    kit = Devkit(devkit, classes=own)
    assert [kit.objects(image_id).classes.tolist() for image_id in kit.image_ids] == [[3, 4, 5], [2], [4, 1]]
    some = Devkit(devkit, classes=("__background__", "car", "cat"), skip_other_classes=True)
    assert [some.objects(image_id).classes.tolist() for image_id in some.image_ids] == [[1], [2], []]
    assert some.annotated_names == {"dog": 1, "person": 2, "car": 1, "Cat": 1, "tvmonitor": 1}
    file, message = error_of(lambda: Devkit(devkit, classes=own[:4]).objects("000007"))
    assert file == str(devkit / "VOC2007/Annotations/000007.xml")
    assert (
        "'person', which is none of those given (Tvmonitor, CAT, dog); the annotations have Cat (1), car"
        in message
    )
    assert "--classes Tvmonitor,CAT,dog,car,person, or leave such objects out" in message


def error_of(call) -> tuple[str, str]:
    with pytest.raises(DataError) as caught:
        call()
    return str(caught.value.file), caught.value.message


def test_a_missing_folder_names_what_there_is(tmp_path):
    write_devkit(tmp_path / "kit")
    file, message = error_of(lambda: Devkit(tmp_path / "kit", 2012))
    assert file == str(tmp_path / "kit")
    assert "no folder VOC2012 there" in message and "(there: VOC2007)" in message
    file, message = error_of(lambda: Devkit(tmp_path / "kit/VOC2007/ImageSets"))
    assert "no folder with Annotations there; give the folder that holds Annotations" in message
    (tmp_path / "kit/VOC2007").rename(tmp_path / "kit/one")
    (tmp_path / "kit/two/annotations").mkdir(parents=True)
    file, message = error_of(lambda: Devkit(tmp_path / "kit"))
    assert "no folder with Annotations there" in message and "(there: one, two)" in message
    file, message = error_of(lambda: Devkit(tmp_path / "nowhere"))
    assert file == str(tmp_path / "nowhere") and "there:" not in message


def test_a_missing_image_set_names_what_there_is(devkit):
    file, message = error_of(lambda: Devkit(devkit, image_set="train"))
    assert file == str(devkit / "VOC2007/ImageSets/Main")
    assert "there is no image set 'train' (train.txt)" in message and "(there: trainval, val)" in message


def test_an_empty_image_set_is_refused(devkit):
    path = devkit / "VOC2007/ImageSets/Main/val.txt"
    path.write_text("\n  \n")
    assert error_of(lambda: Devkit(devkit, image_set="val")) == (
        str(path),
        "the image set is empty; it should have an image id a line",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the annotation: No such file or directory"),
        (
            annotation([("dgo", (1, 1, 5, 5), 0)]),
            "class 'dgo', which is none of VOC's 20; the annotations have Cat (1), dgo (1), person (1)",
        ),
        (annotation([("  ", (1, 1, 5, 5), 0)]), "an object has no name"),
        (annotation([("__background__", (1, 1, 5, 5), 0)]), "class '__background__'"),
        (annotation([("dog", (0, 1, 5, 5), 0)]), "box xmin=0 ymin=1 xmax=5 ymax=5 is not inside the photo"),
        (annotation([("dog", (1, 1, 121, 90), 0)]), "is not inside the photo of 120 x 90 pixels"),
        (annotation([("dog", (1, 1, 120, 91), 0)]), "is not inside the photo of 120 x 90 pixels"),
        (annotation([("dog", (9, 1, 8, 5), 0)]), "xmin is at most xmax"),
        (annotation([("dog", (1, 1, 5, float("nan")), 0)]), "ymax=nan; four numbers are expected"),
        (annotation([("dog", (1, 1, 5, float("inf")), 0)]), "ymax=inf; four numbers are expected"),
        ("<annotation><object><name>dog</name></object></annotation>", "xmin=nothing"),
        (annotation([("dog", (1, 1, 5, 5), "no")]), "cannot read the annotation: invalid literal"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "klingon"),
    ],
)
def test_a_bad_annotation_is_refused(devkit, content, message):
    path = devkit / "VOC2007/Annotations/000007.xml"
    path.unlink()
    if content is not None:
        path.write_text(content)
    file, found = error_of(lambda: dataset_roidb(Devkit(devkit), ANNOTATED))
    assert file == str(path)
    assert message in found


def test_malformed_xml_has_a_line_and_a_column(devkit):
    path = devkit / "VOC2007/Annotations/000007.xml"
    path.write_text("<annotation>\n  <object><name>dog</nome></object>\n</annotation>")
    with pytest.raises(DataError, match="mismatched tag") as caught:
        Devkit(devkit).objects("000007")
    assert (caught.value.file, caught.value.line, caught.value.column) == (str(path), 2, 22)


def test_the_reference_photos_have_the_recorded_objects():
    kit = Devkit(Path(reference("VOCdevkit2007")))
    roidb = recorded("roidb")
    assert kit.image_ids == roidb["image_id"][:5].tolist()
    for i, image_id in enumerate(kit.image_ids):
        found = kit.objects(image_id)
        classes = roidb[f"e{i}/gt_classes"]
        np.testing.assert_array_equal(found.classes[~found.difficult], classes[classes > 0])
        np.testing.assert_array_equal(found.boxes[~found.difficult], roidb[f"e{i}/boxes"][classes > 0])
