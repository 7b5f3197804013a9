from pathlib import Path

import numpy as np
import pytest
from reference import reference

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit, class_names
from fast_rcnn.drawn import annotation, write_devkit
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
