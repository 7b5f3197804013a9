"""A data set of two classes of one's own, as a user comes with it: trained, resumed, evaluated and detected by name,
from VOC's form, from COCO's, and by the reader of docs/your_own_data.md, with the same result."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import cv2
import pytest
from commands import run, run_prototxt
from own_data import CATEGORIES, as_coco, write_all

ROOT = Path(__file__).resolve().parent.parent
SMALL = ("--set", "TRAIN.SCALES", "(72,)", "--set", "TRAIN.BG_THRESH_LO", "0.0")
VOC = ("--devkit", "screws", "--classes", "bolt,gear")
COCO = ("--data", "coco:coco.json:screws/JPEGImages", "--classes", "classes.txt")
OWN = ("--data", "boxes:Boxes:screws/JPEGImages/boxes.csv")
NET = ("test.prototxt", "--weights", "own_iter_40.caffemodel", "--set", "TEST.SCALES", "(72,)")


def docs_code() -> list[str]:
    """The Python of docs/your_own_data.md, in its order."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs/your_own_data.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Has the data set in all forms, and snapshots of 20 and of 40 iterations on VOC's."""
    folder = tmp_path_factory.mktemp("own")
    write_all(folder)
    (folder / "classes.txt").write_text("bolt\ngear\n")
    (folder / "boxes.csv").rename(folder / "screws/JPEGImages/boxes.csv")
    (folder / "boxes.py").write_text(docs_code()[0])
    done = train(folder, *VOC, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == [
        "data: all photos of screws, 6 photo(s), classes: bolt, gear; 12 entries with those flipped"
    ]
    return folder


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "proposals"))


def train(folder: Path, *args: object):
    options = (*SMALL, "--threads", 1, "--iterations", 40)
    return run_prototxt("solver.prototxt", *options, *args, cwd=folder)


def command(folder: Path, *args: object):
    return run("caffe_compat.cli.main", *args, "--threads", 1, cwd=folder)


def weights(folder: Path, iterations: int = 40) -> bytes:
    return (folder / f"own_iter_{iterations}.caffemodel").read_bytes()


@pytest.mark.parametrize("data", [COCO, OWN], ids=["coco", "own reader"])
def test_training_gives_the_same_weights_from_every_form(folder, tmp_path, data):
    there = tmp_path / "job"
    shutil.copytree(folder, there, ignore=shutil.ignore_patterns("own_iter*"))
    assert train(there, *data, "--quiet").returncode == 0
    assert weights(there) == weights(folder)
    assert (there / "own_iter_40.classes.txt").read_text() == "bolt\ngear\n"


def test_training_goes_on_as_if_nothing_had_been_and_knows_its_classes(folder, tmp_path):
    there = tmp_path / "job"
    shutil.copytree(folder, there, ignore=shutil.ignore_patterns("own_iter_40*"))
    done = train(there, "--devkit", "screws", "--resume", "own_iter_20.solverstate", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert weights(there) == weights(folder)
    wrong = ("--devkit", "screws", "--classes", "gear,bolt", "--resume", "own_iter_20.solverstate", "--quiet")
    done = train(there, *wrong)
    assert done.returncode == 7 and done.stderr.endswith(
        "the state is of the classes bolt, gear, but here they are gear, bolt; go on with --classes bolt,gear\n"
    )


def test_evaluation_gives_the_same_from_every_form(folder):
    pytest.importorskip("pycocotools")
    results = {}
    for name, data in (("voc", VOC[:2]), ("coco", COCO[:2]), ("own", OWN)):
        done = command(folder, "evaluate", *NET, *data, "--coco", "--output", f"of {name}", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        results[name] = json.loads(done.stdout)
    told = {name: (one.pop("data"), one.pop("image_set")) for name, one in results.items()}
    assert told == {
        "voc": ("all photos of screws", "all"),
        "coco": ("coco", "coco"),
        "own": ("screws/JPEGImages/boxes.csv", "screws_JPEGImages_boxes_csv"),
    }
    assert results["voc"] == results["coco"] == results["own"]
    rows = [(one["class"], one["objects"], one["ap_area"]) for one in results["voc"]["classes"]]
    assert rows == [("bolt", 6, 1.0), ("gear", 6, 1.0)]
    assert results["voc"]["coco"]["AP50"] == 1 and 0.4 < results["voc"]["coco"]["AP"] < 0.9
    found = json.loads((folder / "of coco/coco_results.json").read_text())
    assert {one["category_id"] for one in found} == set(CATEGORIES.values())
    assert {one["image_id"] for one in found} == {3, 10, 17, 24, 31, 38}
    again = command(folder, "evaluate", "--detections", "of voc/detections.jsonl", *VOC[:2], "--json")
    assert json.loads(again.stdout)["classes"] == results["voc"]["classes"]
    again = command(folder, "evaluate", "--detections", "of coco/coco_results.json", *COCO, "--json")
    assert json.loads(again.stdout)["classes"] == results["voc"]["classes"]
    wrong = ("--devkit", "screws", "--classes", "gear,bolt")
    done = command(folder, "evaluate", "--detections", "of voc/detections.jsonl", *wrong)
    assert done.returncode == 7 and "has detections of the classes bolt, gear" in done.stderr


def test_detection_names_the_classes_in_all_that_it_writes(folder):
    options = ("--threshold", 0.5, "--output", "o.json", "--draw", "drawn")
    done = command(folder, "detect", *NET, "screws/JPEGImages/screw 0.png", *options, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)["photos"][0]["detections"]
    assert {one["class"] for one in found} == {"bolt", "gear"}
    truth = as_coco({"a": [("bolt", 56, 13, 69, 58), ("gear", 13, 10, 41, 38)]})["annotations"]
    for want in truth:
        best = max((one for one in found if CATEGORIES[one["class"]] == want["category_id"]), key=score)
        x, y, width, height = want["bbox"]
        assert best["box"] == pytest.approx([x, y, x + width - 1, y + height - 1], abs=9)
    rows = json.loads((folder / "o.json").read_text())
    assert {(row["category_id"], row["category_name"]) for row in rows} == {(1, "bolt"), (2, "gear")}
    assert cv2.imread(str(folder / "drawn/screw 0_detected.jpg")).shape == (72, 96, 3)
    renamed = command(
        folder, "detect", *NET, "screws/JPEGImages", "--threshold", 0.5, "--classes", "Bolzen,Rad"
    )
    names = [line.split()[2] for line in renamed.stdout.splitlines() if line.startswith("screw ")]
    assert len(names) >= 12 and set(names) == {"Bolzen", "Rad"}
    done = command(folder, "detect", *NET, "screws/JPEGImages", "--classes", "a,b,c", "--quiet")
    assert done.returncode == 7 and "--classes names 3 class(es), the net has 2 besides" in done.stderr


def score(detection: dict) -> float:
    return detection["score"]


def test_what_is_wrong_is_told_with_what_to_do(folder):
    def error(*args: object) -> str:
        done = train(folder, *args, "--quiet")
        assert done.returncode in (1, 7)
        return done.stderr.splitlines()[-1]

    text = error("--devkit", "screws")
    assert text.startswith(
        "screws/Annotations/screw 0.xml: error: an object has the class 'gear', which is none of VOC"
    )
    assert "have bolt (6), gear (6): give --classes bolt,gear (a net for these has num_classes 3)" in text
    text = error("--devkit", "screws", "--classes", "bolt,gear,nut")
    assert text == (
        "error: the net is for 3 classes (num_classes of 'data'), all photos of screws has 4, both with the "
        "background; the annotations have objects of 2 classes only: give --classes bolt,gear, or set num_classes of "
        "'data' to 4, num_output of 'cls_score' to 4, num_output of 'bbox_pred' to 16"
    )
    assert "'gear', which is none of those given (bolt)" in error("--devkit", "screws", "--classes", "bolt")
    assert "give --classes" in error("--devkit", "screws", "--skip-other-classes")
    assert "not from --devkit and --data" in error(*VOC, *COCO[:2])
    assert "there is no module 'box' " in error("--data", "box:Boxes:a")
    assert "the module 'boxes' has no 'Box'" in error("--data", "boxes:Box:a")
    assert "expected coco:ANNOTATIONS.json:FOLDER, or MODULE:CLASS" in error("--data", "coco")
    assert "boxes.Boxes has the classes bolt, gear; those of" in error(*OWN, "--classes", "gear,bolt")
    text = command(folder, "evaluate", *NET).stderr
    assert text == "error: give the data set: --devkit, or --data\n"
    text = command(folder, "evaluate", *NET, "--devkit", "screws", "--image-set", "val").stderr
    assert "there is no image set 'val'" in text


def test_a_net_for_some_of_the_classes(folder, tmp_path):
    """Gears alone: bolts are background."""
    there = tmp_path / "job"
    shutil.copytree(folder, there, ignore=shutil.ignore_patterns("own_iter*"))
    for name in ("train", "test"):
        text = (there / f"{name}.prototxt").read_text()
        text = text.replace("'num_classes': 3", "'num_classes': 2").replace(
            "num_output: 3 ", "num_output: 2 "
        )
        text = text.replace(
            'num_output: 12 weight_filler { type: "g', 'num_output: 8 weight_filler { type: "g'
        )
        (there / f"{name}.prototxt").write_text(text)
    gears = ("--devkit", "screws", "--classes", "gear", "--skip-other-classes")
    done = train(there, *gears, "--quiet")
    assert done.returncode == 0, done.stderr
    done = command(there, "evaluate", *NET, "--devkit", "screws", "--skip-other-classes", "--json")
    assert [(one["class"], one["objects"]) for one in json.loads(done.stdout)["classes"]] == [("gear", 6)]


def test_classes_without_an_object_are_told(folder, tmp_path):
    """A name that is written wrong, and --skip-other-classes, would else train all the same."""
    there = tmp_path / "job"
    shutil.copytree(folder, there, ignore=shutil.ignore_patterns("own_iter*"))

    def check_data(*args: str) -> list[str]:
        return run("caffe_compat.cli.main", "check-data", *args, cwd=there).stdout.splitlines()

    data = ("--devkit", "screws", "--skip-other-classes", "--iterations", 1, "--json")
    done = train(there, *data, "--classes", "bolt,geer")
    assert json.loads(done.stdout)["data"][1:] == ["no photo has an object to learn from of: geer"]
    done = train(there, *data, "--classes", "bold,geer")
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == (
        "warning: all photos of screws: no photo has an object to learn from; the net learns that all is background"
    )
    told = check_data("--devkit", "screws")
    assert "note: the classes are not VOC's: training needs --classes bolt,gear" in told
    told = check_data("--devkit", "screws", "--classes", "bolt")
    assert "error: 6 object(s) of the class 'gear', which is none of these" in "\n".join(told)
    told = check_data("--devkit", "screws", "--classes", "bolt", "--skip-other-classes")
    assert told[-1] == "nothing stands in the way of training"
    for path in (there / "screws/Annotations").iterdir():
        path.write_text("<annotation/>")
    assert (
        check_data("--devkit", "screws", "--classes", "bolt,gear")[-1]
        == "no photo has an object to learn from"
    )


def test_evaluation_says_all_that_is_bad(folder, tmp_path):
    """Before the work; an image set may lie in a folder of its own."""
    there = tmp_path / "job"
    shutil.copytree(folder, there)
    (there / "screws/ImageSets/Main/fold 1").mkdir(parents=True)
    (there / "screws/ImageSets/Main/fold 1/val.txt").write_text("screw 1\nscrew 4.png\n")
    val = ("--devkit", "screws", "--image-set", "fold 1/val")
    done = command(there, "evaluate", *NET, *val)
    assert (done.returncode, done.stderr) == (
        0,
        "",
    ) and "wrote own_iter_40_screws_fold 1_val\n" in done.stdout
    assert (there / "own_iter_40_screws_fold 1_val/comp4_det_fold 1_val_bolt.txt").is_file()
    (there / "screws/JPEGImages/screw 1.png").write_bytes(b"nothing")
    (there / "screws/Annotations/screw 4.xml").write_text("<annotation>")
    done = command(there, "evaluate", *NET, *val)
    assert done.returncode == 7 and done.stderr.startswith(
        "error: 2 of 2 images are bad: screws/JPEGImages/screw 1"
    )
    assert "Annotations/screw 4.xml:1:13: malformed XML" in done.stderr
    assert done.stderr.endswith(
        "; mend them, leave them out with --skip-bad-images, or see all by caffe-compat check-data\n"
    )
    done = command(there, "evaluate", *NET, *val, "--skip-bad-images")
    assert done.returncode == 7 and "none of the 2 images of the image set can be used" in done.stderr


def test_evaluation_leaves_out_what_is_bad(folder, tmp_path):
    """The numbers are those of the others alone, whether a header or the end of a photo is bad, or a box."""
    there = tmp_path / "job"
    shutil.copytree(folder, there, ignore=shutil.ignore_patterns("own_iter_40_*"))
    image_sets = there / "screws/ImageSets/Main"
    image_sets.mkdir(parents=True, exist_ok=True)
    ids = sorted(path.stem for path in (there / "screws/Annotations").iterdir())
    (image_sets / "every.txt").write_text("\n".join(ids))
    data = ("--devkit", "screws", "--json", "--output", "out")
    cut, box, *others = ids
    (image_sets / "others.txt").write_text("\n".join(others))
    want = command(there, "evaluate", *NET, *data, "--image-set", "others")
    assert want.returncode == 0, want.stderr
    photo = next((there / "screws/JPEGImages").glob(f"{cut}.*"))
    photo.write_bytes(photo.read_bytes()[:-200])
    annotation = there / f"screws/Annotations/{box}.xml"
    annotation.write_text(re.sub(r"<xmin>\d+", "<xmin>-7", annotation.read_text(), count=1))
    for name in ("net", "detections"):
        what = NET if name == "net" else ("--detections", "out/detections.jsonl")
        got = command(there, "evaluate", *what, *data, "--image-set", "every", "--skip-bad-images")
        assert got.returncode == 0, got.stderr
        left, wanted = json.loads(got.stdout), json.loads(want.stdout)
        assert left.pop("image_set") == "every" and wanted.pop("image_set") == "others"
        assert left.pop("data") == "every of screws" and wanted.pop("data") == "others of screws"
        assert left == wanted
    told = command(
        there, "evaluate", *NET, *data[:2], "--output", "new", "--image-set", "every", "--skip-bad-images"
    )
    assert "left out 2 bad image(s): " in told.stdout


def test_the_docs_python_trains(folder, tmp_path, monkeypatch):
    """`train_on_dataset` with the reader, from a script."""
    shutil.copytree(folder, tmp_path / "job", ignore=shutil.ignore_patterns("own_iter*"))
    job = tmp_path / "job"
    shutil.copytree(job / "screws/JPEGImages", job / "photos")
    text = (job / "solver.prototxt").read_text().replace("max_iter: 60", "max_iter: 2")
    (job / "solver.prototxt").write_text(text)
    monkeypatch.chdir(job)
    monkeypatch.syspath_prepend(str(job))
    exec(docs_code()[1], {})
    assert (job / "own_iter_2.classes.txt").read_text() == "bolt\ngear\n"
