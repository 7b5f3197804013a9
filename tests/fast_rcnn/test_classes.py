"""The names of classes: given, beside a snapshot, and in messages."""

import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.classes import (
    BACKGROUND,
    ClassIndex,
    as_text,
    beside,
    classes_beside,
    option,
    read_classes,
    unknown_class,
)

OWN = (BACKGROUND, "bolt", "traffic light")


@pytest.mark.parametrize(
    "content",
    [
        b"bolt\ntraffic light\n",
        b"\xef\xbb\xbfbolt\r\n\r\n  traffic light  \r\n",
        b"__background__\nbolt\ntraffic light",
        b"background\nbolt\ntraffic light",
        "bolt\ntraffic light\n".encode("utf-16"),
    ],
)
def test_a_file_has_a_name_a_line(tmp_path, content):
    (tmp_path / "names").write_bytes(content)
    assert read_classes(tmp_path / "names") == OWN


def test_names_with_commas_between(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bolt").mkdir()
    assert read_classes("bolt, traffic light,") == OWN
    assert read_classes("bolt") == (BACKGROUND, "bolt")
    assert read_classes("car,truck/bus") == (BACKGROUND, "car", "truck/bus")
    assert read_classes("Schräubchen") == (BACKGROUND, "Schräubchen")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a", "the classes are 'a' twice; expected names that differ"),
        ("a,__background__", "'__background__' not as the first"),
        ("a,Background", "'Background' not as the first"),
        ("", "the classes are none"),
        ("__background__", "the classes are none"),
        ("gone.txt", "gone.txt: cannot read the classes: No such file or directory"),
        ("no/names", "no/names: cannot read the classes"),
    ],
)
def test_what_names_no_classes_is_refused(text, message):
    with pytest.raises(DataError) as caught:
        read_classes(text)
    assert message in str(caught.value)


def test_case_tells_classes_apart_only_where_nothing_else_does():
    index = ClassIndex((BACKGROUND, "Bolt", "gear", "Gear"))
    names = ("bolt", " BOLT\n", "gear", "Gear", "GEAR", BACKGROUND, "")
    assert [index.get(name) for name in names] == [1, 1, 2, 3, None, None, None]


def test_the_file_beside_a_snapshot(tmp_path):
    for ending in ("caffemodel", "caffemodel.h5", "solverstate", "solverstate.h5"):
        assert beside(f"a/x_iter_2.{ending}").as_posix() == "a/x_iter_2.classes.txt"
    assert classes_beside(str(tmp_path / "x.caffemodel")) is None
    (tmp_path / "x.classes.txt").write_text(as_text(OWN))
    assert classes_beside(str(tmp_path / "x.caffemodel")) == OWN


def test_an_unknown_class_is_told_with_all_that_there_are_and_the_line_to_write():
    counts = {"gear": 5, "Bolt": 2, "bolt": 3, "nut": 1}
    assert unknown_class("nut", (), False, counts) == (
        "an object has the class 'nut', which is none of VOC's 20; the annotations have bolt (5), gear (5), nut (1): "
        "give --classes bolt,gear,nut (a net for these has num_classes 4), or mend the name"
    )
    told = unknown_class("nut", (BACKGROUND, "gear", "bolt"), True, counts)
    assert "none of those given (gear, bolt)" in told and "--classes gear,bolt,nut, or leave" in told
    assert option(["traffic light", "don't"]) == "--classes 'traffic light,don'\"'\"'t'"
    assert option(["a", "b,c"]) == "--classes FILE, with these 2 names, one a line"
    many = {f"c{i:03}": i for i in range(90)}
    told = unknown_class("c001", (), False, many)
    assert "c039 (39) and 50 more: give --classes FILE, with these 90 names" in told and "c040" not in told


def test_no_class_of_objects_is_the_background():
    counts = {"Background": 2, "nut": 1, "bolt": 7}
    assert unknown_class("Background", (), False, counts) == (
        "an object has the class 'Background', but output 0 of a net is the background, for what is no object: rename "
        "the class, or leave such objects out, --classes bolt,nut --skip-other-classes"
    )
    assert "--classes nut --skip" in unknown_class("Background", (BACKGROUND, "nut"), True, counts)
    assert "give --classes bolt,nut (a net for these has num_classes 3)" in unknown_class(
        "nut", (), False, counts
    )
