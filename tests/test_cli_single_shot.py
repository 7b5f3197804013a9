"""detect and evaluate, run as a user runs them, on SSD and YOLO nets that find coloured cells."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import run
from fast_rcnn.cell_nets import CELL_NETS, cell_net
from fast_rcnn.drawn import Object, annotation
from fast_rcnn.test_single_shot import photo

PLAIN = ("--mean", 0, "--scale", 1, "--threads", 1)


def command(folder: Path, *args: object):
    return run("caffe_compat.cli.main", *args, cwd=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("single_shot")
    for kind in ("ssd", "yolo v3"):
        (folder / f"{kind}.prototxt").write_text(CELL_NETS[kind])
        cell_net(kind).save(folder / f"{kind}.caffemodel")
    (folder / "photos").mkdir()
    cv2.imwrite(str(folder / "photos/000007.png"), photo())
    cv2.imwrite(str(folder / "photos/nothing.png"), np.full((50, 30, 3), 90, np.uint8))
    return folder


@pytest.mark.parametrize("kind", ["ssd", "yolo v3"])
def test_detect(folder, kind):
    net = (f"{kind}.prototxt", "--weights", f"{kind}.caffemodel")
    output = ("--output", f"{kind}.json", "--draw", f"{kind} drawn")
    done = command(folder, "detect", *net, "photos", *PLAIN, *output)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[1] == (
        "photos: stretched to 64 x 32, BGR, minus 0, times 1, as given (--mean, --scale, --swap)"
    )
    rows = [line.split() for line in lines if line.startswith(("000007", "nothing"))]
    assert [row[-4:] for row in sorted(rows[:3])] == [
        ["32", "24", "47", "47"],
        ["96", "48", "111", "71"],
        ["112", "72", "127", "95"],
    ]
    assert rows[3] == ["nothing.png", "nothing", "above", "0.5"]
    assert any(line.startswith("2 photo(s), on average resize ") and ", net " in line for line in lines)
    found = json.loads((folder / f"{kind}.json").read_text())
    boxes = {tuple(one["bbox"]): one["category_id"] for one in found}
    assert boxes == {(32, 24, 16, 24): 1, (96, 48, 16, 24): 1, (112, 72, 16, 24): 2}
    drawn = cv2.imread(str(folder / f"{kind} drawn/000007_detected.jpg"))
    assert (np.abs(drawn.astype(int) - photo()).max(axis=2) > 50).mean() > 0.01
    report = json.loads(command(folder, "detect", *net, "photos/000007.png", *PLAIN, "--json").stdout)
    (only,) = report["photos"]
    assert "proposals" not in only and set(only["seconds"]) == {"resize", "net"}
    assert [one["box"] for one in only["detections"]][2] == pytest.approx([112, 72, 127, 95], abs=1e-3)


def test_what_is_said_of_the_preprocessing(folder):
    ssd = ("detect", "ssd.prototxt", "--weights", "ssd.caffemodel", "photos/000007.png")
    told = command(folder, *ssd).stdout.splitlines()[1]
    assert "BGR, minus 104 117 123, times 1, as SSD's (--mean" in told
    told = command(folder, *ssd, "--swap", "0,1,2", "--letterbox").stdout.splitlines()[1]
    assert "letterboxed to 64 x 32, RGB, minus 104 117 123, times 1, the rest as SSD's" in told
    np.save(folder / "mean.npy", np.full((3, 32, 64), 20, np.float32))
    done = command(folder, *ssd, "--mean", "mean.npy")
    assert "minus a mean image of 64 x 32, times 1, the rest as SSD's" in done.stdout


def test_options_of_the_other_kind_of_net(folder):
    ssd = ("detect", "ssd.prototxt", "--weights", "ssd.caffemodel", "photos")
    for option in (
        ("--stages", 1),
        ("--set", "TEST.NMS", "0.4"),
        ("--proposals", "p.npz"),
        ("--nms-rule", "cpu"),
    ):
        done = command(folder, *ssd, *option)
        assert done.returncode == 1
        assert done.stderr == (
            f"ssd.prototxt: error: {option[0]} is for Fast R-CNN nets, and this is one of SSD or YOLO\n"
        )
    done = command(folder, *ssd, "--mean", "1,2")
    assert done.returncode == 7 and "the mean has the shape (2,); expected one number, 3" in done.stderr
    done = command(folder, *ssd, "--mean", "1,x")
    assert done.returncode == 7 and "--mean is '1,x'; expected" in done.stderr
    done = command(folder, *ssd, "--mean", "none.npy")
    assert done.returncode == 7 and done.stderr.startswith(
        "none.npy: error: cannot read the mean: No such file"
    )
    done = command(folder, *ssd, "--swap", "2,1")
    assert done.returncode == 2 and "must be 0, 1 and 2 in some order" in done.stderr


@pytest.mark.parametrize("kind", ["ssd", "yolo v3"])
def test_evaluate_own_classes(folder, kind):
    """All objects are found but one bolt, which has no colour."""
    data = folder / f"{kind} kit/VOC2007"
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (data / part).mkdir(parents=True)
    objects: dict[str, list[Object]] = {
        "a": [("bolt", (33, 25, 48, 48), 0), ("bolt", (97, 49, 112, 72), 0), ("gear", (113, 73, 128, 96), 0)],
        "b": [("bolt", (1, 1, 16, 24), 0)],
    }
    for image_id, image in (("a", photo()), ("b", np.full((96, 128, 3), 90, np.uint8))):
        cv2.imwrite(str(data / f"JPEGImages/{image_id}.png"), image)
        (data / f"Annotations/{image_id}.xml").write_text(annotation(objects[image_id]))
    (data / "ImageSets/Main/test.txt").write_text("a\nb\n")
    net = ("evaluate", f"{kind}.prototxt", "--weights", f"{kind}.caffemodel", "--devkit", f"{kind} kit")
    options = ("--classes", "bolt,gear", "--output", f"{kind} out", *PLAIN)
    done = command(folder, *net, *options, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    bolt, gear = report["classes"]
    assert (bolt["class"], bolt["objects"], gear["class"], gear["objects"]) == ("bolt", 3, "gear", 1)
    assert bolt["ap_area"] == pytest.approx(2 / 3) and gear["ap_area"] == pytest.approx(1)
    lines = (folder / f"{kind} out/comp4_det_test_gear.txt").read_text().splitlines()
    assert lines[0].split()[0] == "a" and lines[0].split()[2:] == ["113.0", "73.0", "128.0", "96.0"]
    again = command(folder, *net, *options)
    assert "2 of 2 photos are done already" in again.stdout
    other = command(folder, *net, *options, "--letterbox")
    assert other.returncode == 7 and "another run, with another preprocessing" in other.stderr
    wrong = command(folder, *net, "--classes", "bolt,gear,nut", "--output", "wrong", *PLAIN)
    assert wrong.returncode == 7 and "the net has 3 classes" in wrong.stderr
    drawn = command(folder, "detect", *net[1:4], "photos", "--classes", "bolt,gear", *PLAIN).stdout
    assert sum(" bolt " in line for line in drawn.splitlines()) == 2
