"""What `check`, check-data and training find in a data set with planted faults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from browser import browser
from commands import run

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.check import check
from caffe_compat.fast_rcnn.config import OHEM, cfg_from_list
from caffe_compat.fast_rcnn.faults import KINDS
from caffe_compat.fast_rcnn.voc import Devkit
from fast_rcnn.faulty import GOOD, HEIGHT, PLANTED, WIDTH, write_faulty

CLASSES = ("__background__", "bolt", "gear", "nut")
ANNOTATED = cfg_from_list(["TRAIN.PROPOSAL_METHOD", "gt"], OHEM)
ERRORS = [name for name, kinds in PLANTED.items() if any(KINDS[kind].is_error for kind in kinds)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_faulty(tmp_path / "screws")


def devkit(folder: Path, **options) -> Devkit:
    return Devkit(folder, image_set="all", classes=CLASSES, **options)


def check_data(folder: Path, *args: object):
    return run("caffe_compat.cli.main", "check-data", "--devkit", folder, "--image-set", "all", *args)


def test_each_planted_fault_is_found(folder):
    checked = check(devkit(folder))
    found = {name: [fault.kind for fault in checked.faults if fault.image_id == name] for name in PLANTED}
    assert found == PLANTED
    assert {kind for kinds in PLANTED.values() for kind in kinds} == set(KINDS) - {"class"}
    assert checked.has_errors and checked.repeated == {"good": 2} and checked.images == len(PLANTED)
    (fault,) = (fault for fault in checked.faults if fault.image_id == "beyond")
    assert fault.box == (10, 20, 120, 69)
    assert f"xmin=11 ymin=21 xmax=121 ymax=70 is not inside the photo of {WIDTH} x {HEIGHT}" in str(
        fault.error
    )
    assert str(fault.error).startswith(str(folder / "beyond.xml"))


def test_objects_are_counted(folder):
    proposals = np.array(
        [[10, 20, 59, 69], [10, 20, 59, 45]], np.float32
    )  # covers each bolt of GOOD, no gear
    told = []
    checked = check(
        devkit(folder), 16, (180, 1000), lambda image_id, image: proposals, lambda *one: told.append(one)
    )
    bolt, gear, nut = checked.classes
    whole = [name for name, kinds in PLANTED.items() if "annotation" not in kinds]
    three = [
        name
        for name in whole
        if name not in ("swapped", "from_zero", "backwards", "difficult", "nothing", "two")
    ]
    assert (gear.objects, gear.images, gear.ignored) == (2 * len(three), len(three), 0)
    # of the small gears, 8 wide: twice as large in the net, where the photo is as large as it says or not there
    assert gear.small == len(three) - len(
        [name for name in three if name not in ("missing", "empty_file", "no_photo")]
    )
    assert (nut.objects, nut.covered, nut.recall) == (1, 0, 0)
    assert (bolt.ignored, gear.recall, told[0][1]) == (1, 0, len(PLANTED))
    assert bolt.covered == 8  # good, scaled, from_zero, beyond, swapped, repeated twice, two


def test_training_says_all_that_is_bad_or_leaves_it_out(folder):
    with pytest.raises(DataError) as error:
        dataset_roidb(devkit(folder), ANNOTATED)
    text = str(error.value)
    assert text.startswith(
        f"{len(ERRORS) - 1} of {len(PLANTED) + 1} images are bad: {folder / 'missing.jpg'}: "
    )
    assert "and 8 more" in text and "--zero-based" in text and "--skip-bad-images" in text
    with pytest.warns(UserWarning, match=r"1 photo\(s\) are turned upright, as EXIF says.*turned.jpg"):
        roidb = dataset_roidb(devkit(folder), ANNOTATED, skip_bad_images=True)
    learned = [name for name in [*PLANTED, "good"] if name not in [*ERRORS, "difficult", "nothing"]]
    assert [Path(photo.path).stem for photo in roidb.photos] == learned
    assert len(roidb.skipped) == len(ERRORS)
    turned = next(photo for photo in roidb.photos if photo.path.endswith("turned.jpg"))
    assert (turned.width, turned.height) == (HEIGHT, WIDTH)
    assert turned.boxes[0].tolist() == [HEIGHT - 70, 10, HEIGHT - 21, 59]


def test_an_unknown_class_is_no_bad_image(folder):
    with pytest.raises(DataError, match="class 'nut', which is none of those given"):
        dataset_roidb(Devkit(folder, image_set="all", classes=CLASSES[:3]), ANNOTATED, skip_bad_images=True)


def test_pixels_that_count_from_zero(folder):
    checked = check(devkit(folder, counts_from=0))
    assert "zero" not in {fault.kind for fault in checked.faults}
    assert [fault.image_id for fault in checked.faults if fault.kind == "outside"].count("from_zero") == 0
    (text,) = (str(fault.error) for fault in checked.faults if fault.image_id == "good")
    assert "xmax=120" in text and "pixels count from 0" in text  # a good file is one from 1


def test_the_command(folder, tmp_path):
    result = check_data(folder, "--classes", "bolt,gear")
    assert result.returncode == 1 and not result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 100
    for text in (
        "error: 1 object(s) of the class 'nut', which is none of these",
        "warning: the image 'good' stands 2 times in the image set",
        "error: boxes that begin at pixel 0, where pixels count from 1, 2 in 2 image(s): a tool that counts",
        "12 of 18 images cannot be learned from; --skip-bad-images leaves them out",
    ):
        assert text in " ".join(result.stdout.split())
    assert re.search(r"gear\s+9\s+18\s", result.stdout)
    found = json.loads(check_data(folder, "--json").stdout)
    assert [one["name"] for one in found["classes"]] == ["bolt", "gear", "nut"]  # all that there are
    assert found["kinds"]["photo"] == {"title": KINDS["photo"].title, "error": True, "faults": 4, "images": 4}
    assert {one["image"] for one in found["faults"] if one["kind"] == "unlearned"} == {"difficult", "nothing"}
    (folder / "all.txt").write_text("good\n")
    result = check_data(folder, "--classes", "bolt,gear")
    assert result.returncode == 0 and "nothing stands in the way of training" in result.stdout
    assert run("caffe_compat.cli.main", "check-data").returncode == 1


def test_the_page(folder, tmp_path):
    page = tmp_path / "faults.html"
    assert check_data(folder, "--html", page).returncode == 1
    with browser() as driver:
        driver.get(page.as_uri())
        pictures = driver.find_elements("css selector", "figure")
        assert len(pictures) == 10  # those with a photo and an annotation
        rows = driver.find_elements("css selector", "tr.different")
        assert len(rows) == len(
            [kind for kinds in PLANTED.values() for kind in kinds if KINDS[kind].is_error]
        )
        bad = driver.find_elements("css selector", 'rect[stroke="#e02020"]')
        assert len(bad) == 6
        assert not driver.get_log("browser")
    assert len(GOOD) == 3
