"""caffe-compat convert-annoset: databases of files written here, read back through a net's AnnotatedData."""

import gc
import json
import re

import cv2
import numpy as np
import pytest
from commands import run

import caffe_compat as caffe
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum

lmdb = pytest.importorskip("lmdb")
LABELS = """
item { name: "none_of_the_above" label: 0 display_name: "background" }
item { name: "dog" label: 3 display_name: "Dog" }
item { name: "cat" label: 5 display_name: "Cat" }
"""
NET = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label"
        data_param { source: "%s" backend: LMDB batch_size: %d } transform_param { mirror: false } }
"""
SIZE = "<size><width>10</width><height>8</height><depth>3</depth></size>"


def xml(*objects: str, size: str = SIZE) -> str:
    return f"<annotation><filename>a.png</filename>{size}{''.join(objects)}</annotation>"


def thing(name: str, *corners: object, before: str = "", after: str = "") -> str:
    box = "".join(
        f"<{one}>{value}</{one}>"
        for one, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    )
    return f"<object><name>{name}</name>{before}<bndbox>{box}</bndbox>{after}</object>"


DIFFICULT = "<difficult>1</difficult>"
FIRST = xml(
    thing("dog", 1, 2, 5, 6),
    thing("cat", 2, 1, 9, 7, before=DIFFICULT + "<part><name>head</name></part>"),
    thing("dog", 3, 4, 10, 8, before="<difficult>0</difficult>"),
)
SECOND = xml(thing("cat", 4, 2, 6, 3), size="")


@pytest.fixture
def folder(tmp_path):
    """Two photos of 8 x 10, VOC's folders, a label map and a list."""
    for name in ("photos", "notes"):
        (tmp_path / name).mkdir()
    pixels = np.random.RandomState(4).randint(0, 256, (2, 8, 10, 3)).astype(np.uint8)
    for name, image in zip("ab", pixels, strict=True):
        cv2.imwrite(str(tmp_path / f"photos/{name}.png"), image)
    (tmp_path / "notes/a.xml").write_text(FIRST)
    (tmp_path / "notes/b.xml").write_text(SECOND)
    (tmp_path / "labels.prototxt").write_text(LABELS)
    (tmp_path / "list.txt").write_text("photos/a.png notes/a.xml\nphotos/b.png\tnotes/b.xml\n\n")
    return tmp_path


def convert(folder, *args, listed="list.txt"):
    done = run("caffe_compat.cli.main", "convert-annoset", ".", listed, "db", *args, cwd=folder)
    gc.collect()
    return done


def detection(folder, *args):
    return convert(folder, "-anno_type", "detection", "-label_map_file=labels.prototxt", *args)


def tops(folder, batch: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """What a net's AnnotatedData gives for the database: images and rows."""
    (folder / "net.prototxt").write_text(NET % (folder / "db", batch))
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TEST)
    net.forward()
    result = net.blobs["data"].data.copy(), net.blobs["label"].data.copy()
    del net
    gc.collect()
    return result


def records(folder) -> list[tuple[str, AnnotatedDatum]]:
    with (
        lmdb.open(str(folder / "db"), readonly=True, lock=False) as environment,
        environment.begin() as transaction,
    ):
        return [(key.decode(), AnnotatedDatum.FromString(value)) for key, value in transaction.cursor()]


def test_voc_through_a_net(folder):
    done = detection(folder)
    assert done.returncode == 0, done.stderr
    assert "Processed 2 files." in done.stderr and "notes/b.xml: gives no size" in done.stderr
    images, rows = tops(folder)
    for image, name in zip(images, "ab", strict=True):
        np.testing.assert_array_equal(
            image.transpose(1, 2, 0), cv2.imread(str(folder / f"photos/{name}.png"))
        )
    np.testing.assert_allclose(
        rows[0, 0],
        [  # image, class, instance, box, difficult: a group a class
            [0, 3, 0, 0.1, 0.25, 0.5, 0.75, 0],
            [0, 3, 1, 0.3, 0.5, 1, 1, 0],
            [0, 5, 0, 0.2, 0.125, 0.9, 0.875, 1],
            [1, 5, 0, 0.4, 0.25, 0.6, 0.375, 0],
        ],
        rtol=1e-6,
    )
    assert [(key, one.type, one.datum.label) for key, one in records(folder)] == [
        ("00000000_photos/a.png", AnnotatedDatum.BBOX, -1),
        ("00000001_photos/b.png", AnnotatedDatum.BBOX, -1),
    ]


def test_text_and_json_give_the_same_objects(folder):
    texts = {
        "txt": "3 1 2 5 6\n\n5 2 1 9 7.5\n3 3 4 10 8\n",
        "json": json.dumps(
            {
                "image": {"height": 8, "width": 10},
                "annotation": [
                    {"category_id": 18, "bbox": [1, 2, 4, 4]},
                    {"category_id": "cat", "bbox": [2, 1, 7, 6.5], "iscrowd": 1},
                    {"category_id": 18, "bbox": [3, 4, 7, 4], "iscrowd": 0},
                ],
            }
        ),
    }
    (folder / "labels.prototxt").write_text(LABELS.replace("dog", "18"))
    (folder / "list.txt").write_text("photos/a.png notes/a\n")
    for kind, text in texts.items():
        (folder / "notes/a").write_text(text)
        done = detection(folder, "--label-type", kind, "-encoded", "-redo", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"written": "db", "images": 1, "left_out": []}
        np.testing.assert_allclose(
            tops(folder, 1)[1][0, 0, :, 1:],
            [
                [3, 0, 0.1, 0.25, 0.5, 0.75, 0],
                [3, 1, 0.3, 0.5, 1, 1, 0],
                [5, 0, 0.2, 0.125, 0.9, 0.9375, kind == "json"],
            ],
            rtol=1e-6,
        )
        assert records(folder)[0][1].datum.data == (folder / "photos/a.png").read_bytes()


def test_the_size_of_the_file_counts_and_oddities_are_the_originals(folder):
    (folder / "notes/a.xml").write_text(
        xml(
            thing("dog", 2.5, -4, 20, 6, after=DIFFICULT),
            "<object><name>cat</name></object>",
            size=SIZE.replace(">8<", ">16<"),
        )
    )
    done = detection(folder, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "gives the size 10 x 16, the image has 10 x 8" in done.stderr
    assert "xmin is '2.5', no whole number; 0 is taken" in done.stderr
    assert "bounding box 0 -4 20 6 exceeds the image of 10 x 16" in done.stderr
    dog, cat = (group.annotation[0] for group in records(folder)[0][1].annotation_group)
    box = dog.bbox
    assert (box.xmin, box.ymin, box.xmax, box.ymax, box.difficult) == (0, -0.25, 2, 0.375, False)
    assert not cat.HasField("bbox")


def test_polygons_are_kept_where_an_object_has_one(folder):
    corners = "".join(f"<x{i}>{i}</x{i}><y{i}>{2 * i}</y{i}>" for i in range(1, 5))
    text = thing("dog", 1, 2, 5, 6).replace("</bndbox>", f"{corners}</bndbox>")
    (folder / "notes/a.xml").write_text(xml(text, thing("cat", 1, 2, 5, 6)))
    assert detection(folder, "--quiet").returncode == 0
    dog, cat = (group.annotation[0] for group in records(folder)[0][1].annotation_group)
    found = [getattr(dog.polygon, f"{axis}{i}") for i in range(1, 5) for axis in "xy"]
    np.testing.assert_allclose(found, [0.1, 0.25, 0.2, 0.5, 0.3, 0.75, 0.4, 1], rtol=1e-6)
    assert not cat.HasField("polygon")


@pytest.mark.parametrize(
    "args, size",
    [
        (("-min_dim", "12"), (12, 15)),
        (("-max_dim", "5"), (4, 5)),
        (("--min-dim=16", "--max-dim=15"), (12, 15)),
        (("-min_dim", "3", "-max_dim", "11"), (8, 10)),
        (("-resize_height", "6", "-resize_width=7", "-gray"), (6, 7)),
    ],
)
def test_images_are_resized_and_boxes_stay(folder, args, size):
    done = detection(folder, *args, "-encode_type=png")
    assert done.returncode == 0, done.stderr
    images, rows = tops(folder)
    flag = cv2.IMREAD_GRAYSCALE if "-gray" in args else cv2.IMREAD_COLOR
    image = cv2.resize(cv2.imread(str(folder / "photos/a.png"), flag), size[::-1])
    np.testing.assert_array_equal(images[0].transpose(1, 2, 0), image.reshape(*size, -1))
    np.testing.assert_allclose(rows[0, 0, 0, 3:7], [0.1, 0.25, 0.5, 0.75])


def test_labels(folder):
    (folder / "list.txt").write_text("photos/a.png 7\nphotos/b.png 2\n")
    done = convert(folder)
    assert done.returncode == 0, done.stderr
    assert tops(folder)[1].tolist() == [7, 2]


def test_shuffled(folder):
    (folder / "list.txt").write_text("photos/a.png notes/a.xml\n" * 3 + "photos/b.png notes/b.xml\n" * 3)
    assert detection(folder, "-shuffle", "--seed", "2").returncode == 0
    names = [key[-5] for key, _ in records(folder)]
    assert "".join(names) != "aaabbb" and sorted(names) == list("aaabbb")
    for key, record in records(folder):
        assert len(record.annotation_group) == (2 if key.endswith("a.png") else 1)


@pytest.mark.parametrize(
    "text, message",
    [
        (xml(thing("dgo", 1, 1, 2, 2)), "a.xml: an object has the name 'dgo', .*; did you mean 'dog'?"),
        (xml()[:-5], r"a.xml:1:\d+: malformed XML"),
        ("<html/>", "a.xml: has <html>; expected <annotation>"),
        (xml(size=SIZE.replace(">8<", ">0<")), "a.xml: gives the size 10 x 0; correct it, or remove it"),
        (
            xml("<object><bndbox><xmin>1</xmin></bndbox><name>dog</name></object>"),
            "a.xml: an object has its bndbox before",
        ),
    ],
)
def test_an_annotation_that_cannot_be_read_is_left_out(folder, text, message):
    (folder / "notes/a.xml").write_text(text)
    done = detection(folder, "--json")
    assert done.returncode == 7
    (told,) = json.loads(done.stdout)["left_out"]
    assert told.startswith("list.txt:1: notes/") and re.search(message, told), told
    assert done.stderr.splitlines()[-1] == "list.txt: error: 1 image(s) left out, 1 stored"
    assert [key for key, _ in records(folder)] == ["00000001_photos/b.png"]


@pytest.mark.parametrize(
    "kind, text, message",
    [
        ("txt", "3 1 1 2 2\n3 1 1 2\n", "notes/a:2: expected label xmin ymin xmax ymax, found '3 1 1 2'"),
        ("txt", "dog 1 1 2 2\n", "notes/a:1: expected label"),
        ("txt", "3 1 1 2 nan\n", "notes/a:1: expected numbers"),
        ("json", "[", "notes/a: cannot read the annotation as JSON"),
        ("json", "[]", 'notes/a: expected {"annotation": [...]}'),
        ("json", '{"annotation": [{"category_id": "cat"}]}', "expected an object with category_id and bbox"),
        ("json", '{"annotation": [{"category_id": "cat", "bbox": [1, 2, 3, null]}]}', "expected numbers"),
        ("json", '{"annotation": [{"category_id": 9, "bbox": [1, 2, 3, 4]}]}', "has the name '9'"),
    ],
)
def test_texts_that_cannot_be_read(folder, kind, text, message):
    (folder / "notes/a").write_text(text)
    (folder / "list.txt").write_text("photos/a.png notes/a\n")
    done = detection(folder, "-label_type", kind)
    assert done.returncode == 7 and not (folder / "db").exists()
    last = done.stderr.splitlines()[-1]
    assert last.startswith("list.txt: error: none of its 1 images can be read; the first: list.txt:1: ")
    assert message in last


@pytest.mark.parametrize("bound", ["-min_dim=2000000000", "-max_dim=1"])
def test_sizes_that_no_image_can_have(folder, bound):
    cv2.imwrite(str(folder / "photos/a.png"), np.zeros((2, 9, 3), np.uint8))
    done = detection(folder, bound)
    assert done.returncode == 7 and "list.txt:1: an image of 9 x 2 cannot be resized so" in done.stderr


def test_images_without_annotation_have_no_objects(folder):
    (folder / "notes/a.xml").unlink()
    done = detection(folder)
    assert done.returncode == 0 and "1 image(s) have no annotation file" in done.stderr
    assert [len(record.annotation_group) for _, record in records(folder)] == [0, 1]
    (folder / "notes/b.xml").unlink()
    done = detection(folder, "-redo")
    assert (
        done.returncode == 7
        and "none of its 2 annotations exists; the first is './notes/a.xml'" in done.stderr
    )
    assert len(records(folder)) == 2


def test_redo_replaces_databases_only(folder):
    assert detection(folder).returncode == 0
    done = detection(folder)
    assert done.returncode == 7 and "\ndb: error: exists already; remove it" in done.stderr
    (folder / "list.txt").write_text("photos/b.png notes/b.xml\n")
    assert detection(folder, "-redo").returncode == 0
    assert [key for key, _ in records(folder)] == ["00000000_photos/b.png"]
    (folder / "db/mine.txt").touch()
    done = detection(folder, "-redo")
    assert done.returncode == 7 and "exists already and is no LMDB" in done.stderr
    assert (folder / "db/mine.txt").exists()


def test_errors(folder):
    done = convert(folder, "-anno_type", "detection")
    assert done.returncode == 7 and "give their labels: -label_map_file F" in done.stderr
    (folder / "labels.prototxt").write_text(LABELS + 'item { name: "dog" label: 9 }')
    done = detection(folder, "-check_label")
    assert done.returncode == 7 and done.stderr == "labels.prototxt: error: has the name 'dog' twice\n"
    assert detection(folder).returncode == 0 and records(folder)[0][1].annotation_group[0].group_label == 9
    (folder / "labels.prototxt").write_text("itme { }")
    done = detection(folder)
    assert done.returncode == 3 and done.stderr.startswith("labels.prototxt:1:1: error: ")
    (folder / "labels.prototxt").write_text("")
    assert "labels.prototxt: error: nothing is in it" in detection(folder).stderr
    (folder / "labels.prototxt").write_text(LABELS)
    (folder / "list.txt").write_text("photos/a.png\n")
    assert "list.txt:1: expected two paths without blanks" in detection(folder).stderr
    done = detection(folder, "-label_type", "yaml")
    assert done.returncode == 2 and "invalid choice: 'yaml'" in done.stderr
