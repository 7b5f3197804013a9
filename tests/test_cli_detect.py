"""detect and evaluate, run as a user runs them, on a tiny net with random weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import run
from fast_rcnn.drawn import write_devkit
from fast_rcnn.nets import TINY_TEST, tiny_test_net
from processes import started

from caffe_compat.fast_rcnn.voc import CLASSES

SMALL = ("--set", "TEST.SCALES", "(90,)", "--threads", 1)
NET = ("test.prototxt", "--weights", "w.caffemodel")
PHOTOS = Path("kit/VOC2007/JPEGImages")


def command(folder: Path, *args: object):
    return run("caffe_compat.cli.main", *args, cwd=folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("detect")
    write_devkit(folder / "kit")
    (folder / "test.prototxt").write_text(TINY_TEST)
    tiny_test_net().save(folder / "w.caffemodel")
    return folder


@pytest.fixture(autouse=True)
def cache(monkeypatch, folder):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


def test_detect_a_folder_with_a_corrupt_photo(folder):
    (folder / "photos").mkdir()
    for path in (folder / PHOTOS).glob("*.jpg"):
        (folder / "photos" / path.name).write_bytes(path.read_bytes())
    (folder / "photos/000008.JPG").write_bytes(b"no photo")
    (folder / "photos/notes.txt").write_text("no photo either, and not taken for one")
    options = ("--threshold", 0.3, "--output", "o.json", "--draw", "drawn")
    done = command(folder, "detect", *NET, "photos", *options, *SMALL)
    assert done.returncode == 7
    first, last = done.stderr.splitlines()
    assert first.startswith("photos/000008.JPG: error: not a photo that OpenCV can decode (8 bytes)")
    assert last == "error: 1 of 4 photos could not be done, see above"
    lines = done.stdout.splitlines()
    assert lines[2].split() == ["photo", "class", "score", "x1", "y1", "x2", "y2"]
    results = json.loads((folder / "o.json").read_text())
    rows = [line.split() for line in lines[3:] if line.startswith("0000")]
    assert len(rows) == len(results) > 3
    for row, result in zip(sorted(rows), sorted(results, key=lambda one: one["image_id"]), strict=False):
        assert int(row[0][:6]) == result["image_id"]
    best = max(results, key=lambda one: one["score"])
    x, y, width, height = best["bbox"]
    row = max(rows, key=lambda row: float(row[2]))
    assert row[1:3] == [CLASSES[best["category_id"]], f"{best['score']:.3f}"]
    corners = [x, y, x + width - 1, y + height - 1]
    np.testing.assert_allclose([int(word) for word in row[3:]], corners, atol=0.51)
    assert "3 photo(s)" in lines[-3] and "pyramid" in lines[-3] and "nms" in lines[-3]
    for name in ("000007", "000012", "000031"):
        drawn = cv2.imread(str(folder / f"drawn/{name}_detected.jpg"))
        photo = cv2.imread(str(folder / f"photos/{name}.jpg"))
        assert drawn.shape == photo.shape
        assert (np.abs(drawn.astype(int) - photo).max(axis=2) > 50).mean() > 0.01


def test_detect_as_json_from_a_pattern_with_given_proposals(folder):
    boxes = np.array([[1, 2, 60, 50], [10, 12, 40, 70]], np.float32)
    np.savez(folder / "p.npz", **{"000007": boxes, "000012": boxes[:0]})
    options = ("--proposals", "p.npz", "--threshold", 0, "--max-per-image", 7, "--json", *SMALL)
    done = command(folder, "detect", *NET, PHOTOS / "0000[01]?.jpg", *options)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert [one["photo"][-10:] for one in report["photos"]] == ["000007.jpg", "000012.jpg"]
    assert [one["proposals"] for one in report["photos"]] == [2, 0]
    assert report["photos"][1]["detections"] == []
    found = report["photos"][0]["detections"]
    assert len(found) == 7 and {one["class"] for one in found} <= set(CLASSES[1:])
    assert set(report["photos"][0]["seconds"]) == {"proposals", "pyramid", "net", "boxes", "nms"}
    once = [one["score"] for one in found]
    done = command(folder, "detect", *NET, PHOTOS / "000007.jpg", *options, "--stages", 2)
    assert [one["score"] for one in json.loads(done.stdout)["photos"][0]["detections"]] != once


def test_detect_says_what_is_wrong(folder):
    done = command(folder, "detect", *NET, "nothing*.jpg")
    assert done.returncode == 7 and "nothing*.jpg: error: no photos there" in done.stderr
    done = command(folder, "detect", *NET, PHOTOS / "000007.jpg", PHOTOS / "000007.jpg", "--draw", "d")
    assert done.returncode == 1 and "two photos are named '000007'" in done.stderr
    done = command(folder, "detect", *NET, PHOTOS / "000007.jpg", "--output", "no/o.json", "--quiet")
    assert done.returncode == 1 and done.stderr.startswith("no/o.json: error: cannot be written")
    done = command(folder, "detect", *NET, PHOTOS / "000007.jpg", "--threshold", "1", "--quiet")
    assert done.returncode == 1 and "--threshold from 0 to below 1" in done.stderr
    (folder / "other.prototxt").write_text('input: "x" input_shape { dim: 1 dim: 2 }')
    done = command(folder, "detect", "other.prototxt", *NET[1:], PHOTOS / "000007.jpg")
    assert done.returncode == 7 and "use the test.prototxt" in done.stderr


def test_evaluate_goes_on_after_an_interruption(folder):
    kit = ("--devkit", "kit", "--image-set", "trainval")
    photo = folder / PHOTOS / "000031.jpg"
    content = photo.read_bytes()
    photo.write_bytes(content[:-100])
    done = command(folder, "evaluate", *NET, *kit, *SMALL)
    assert done.returncode == 7 and "000031.jpg: error: the JPEG is cut off" in done.stderr
    store = folder / "w_VOC2007_trainval/detections.jsonl"
    before = store.read_text().splitlines()
    assert len(before) == 3
    photo.write_bytes(content)
    done = command(folder, "evaluate", *NET, *kit, *SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 of 3 photos are done already" in done.stdout
    assert store.read_text().splitlines()[:3] == before
    lines = (folder / "w_VOC2007_trainval/comp4_det_trainval_cat.txt").read_text().splitlines()
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("cat "))
    assert row[1:3] == ["1", str(len(lines))]
    done = command(folder, "evaluate", *NET, *kit, *SMALL, "--stages", 2)
    assert done.returncode == 7 and "another run, with another stages" in done.stderr


def test_evaluate_killed_halfway_goes_on_to_the_same_result(folder):
    """Killed (SIGKILL) as soon as two photos are done; the second run does the rest, and no photo twice."""
    kit = folder / "many/VOC2007"
    for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (kit / part).mkdir(parents=True)
    ids = [f"{i:06d}" for i in range(100, 160)]
    for image_id in ids:
        shutil.copy(folder / PHOTOS / "000007.jpg", kit / f"JPEGImages/{image_id}.jpg")
        shutil.copy(folder / "kit/VOC2007/Annotations/000007.xml", kit / f"Annotations/{image_id}.xml")
    (kit / "ImageSets/Main/test.txt").write_text("\n".join(ids) + "\n")
    options = ("evaluate", *NET, "--devkit", "many", *SMALL, "--stages", 5)
    command(folder, *options, "--output", "whole")
    arguments = [sys.executable, "-m", "caffe_compat.cli.main", *map(str, options), "--output", "killed"]
    store = folder / "killed/detections.jsonl"
    with started(arguments, folder, stdout=subprocess.DEVNULL) as running:
        while not store.exists() or store.read_bytes().count(b"\n") < 3:
            assert running.poll() is None
            time.sleep(0.001)
    assert running.returncode == -9
    before = store.read_bytes()
    done = command(folder, *options, "--output", "killed")
    assert done.returncode == 0, done.stderr
    assert f"{before.count(bytes([10])) - 1} of 60 photos are done already" in done.stdout
    for file in (folder / "whole").iterdir():
        assert (folder / "killed" / file.name).read_bytes() == file.read_bytes(), file.name


def test_evaluate_given_detections(folder):
    """The objects themselves, as detections, have an average precision of 1."""
    boxes = {"dog": [10, 20, 50, 50], "car": [69, 39, 51, 51], "cat": [0, 0, 40, 100]}
    ids = {"dog": 7, "car": 7, "cat": 12}
    results = [
        {"image_id": ids[name], "category_id": CLASSES.index(name), "bbox": box, "score": 0.9}
        for name, box in boxes.items()
    ]
    (folder / "right.json").write_text(json.dumps(results))
    kit = ("--detections", "right.json", "--devkit", "kit", "--image-set", "trainval")
    report = json.loads(command(folder, "evaluate", *kit, "--json").stdout)
    by_class = {one["class"]: one for one in report["classes"]}
    for name in boxes:
        assert by_class[name]["ap_07"] == pytest.approx(1) and by_class[name]["ap_area"] == pytest.approx(1)
    assert by_class["person"]["objects"] == 1 and by_class["person"]["ap_07"] == 0
    assert by_class["bird"]["ap_area"] is None and report["mean_ap_area"] is None
    assert report["mean_ap_07"] == pytest.approx(3 / 20)
    assert report["mean_ap_07_of_classes_with_objects"] == pytest.approx(3 / 5)
    quiet = command(folder, "evaluate", *kit, "--quiet").stdout.splitlines()
    assert quiet[0] == "mean AP of the 5 classes that have objects: VOC07 0.6000, area 0.6000"
    done = command(folder, "evaluate", "--devkit", "kit")
    assert done.returncode == 1 and "give a net and its --weights, or --detections" in done.stderr


def test_evaluate_draws_curves(folder):
    pytest.importorskip("matplotlib")
    (folder / "one.json").write_text(
        json.dumps([{"image_id": 7, "category_id": 12, "bbox": [9, 20, 50, 50], "score": 0.9}])
    )
    kit = ("--detections", "one.json", "--devkit", "kit", "--image-set", "trainval")
    done = command(folder, "evaluate", *kit, "--plot", "curves")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "wrote curves"
    names = sorted(path.name for path in (folder / "curves").iterdir())
    assert names == ["car.png", "cat.png", "dog.png", "person.png", "tvmonitor.png"]
    assert (folder / "curves/dog.png").read_bytes().startswith(b"\x89PNG")
