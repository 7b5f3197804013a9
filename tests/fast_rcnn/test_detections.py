import json
from types import SimpleNamespace

import numpy as np
import pytest
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.coco_numbers import CocoNumbers
from caffe_compat.fast_rcnn.detect import Detector
from caffe_compat.fast_rcnn.detections import (
    DetectionsFile,
    coco_results,
    detect_all,
    digest,
    read_detections,
    write_coco,
)
from caffe_compat.fast_rcnn.voc import CLASSES, Devkit
from fast_rcnn.nets import TINY_TEST

RUN = {"weights": "w1", "thresh": 0.05}
DETS = np.random.RandomState(3).uniform(0, 20, (7, 6)).astype(np.float32)
DETS[:, 0] = 12
EMPTY = np.zeros((0, 6), np.float32)


def set_of(*image_ids: str) -> SimpleNamespace:
    """As much of a data set as the reader of detections asks for."""
    return SimpleNamespace(image_ids=image_ids, classes=CLASSES)


def test_a_run_goes_on_and_drops_a_torn_line(tmp_path):
    path = tmp_path / "found.jsonl"
    with DetectionsFile(path, RUN) as file:
        file.add("000456", DETS)
        file.add("000542", EMPTY)
        file.add("2008_000001", DETS[:2])
    path.write_text(path.read_text()[:-9])
    with DetectionsFile(path, RUN) as file:
        assert list(file.found) == ["000456", "000542"]
        np.testing.assert_array_equal(file.found["000456"], DETS)  # bit for bit
        file.add("2008_000001", DETS[:2])
    found = read_detections(path, set_of("2008_000001", "000542"))
    np.testing.assert_array_equal(found["2008_000001"], DETS[:2])
    assert found["000542"].shape == (0, 6)
    with pytest.raises(DataError, match="lacks 1 of the 2 images of the image set, the first is 7"):
        read_detections(path, set_of("000542", "7"))


def test_another_run_is_refused(tmp_path):
    path = tmp_path / "found.jsonl"
    DetectionsFile(path, RUN).__exit__()
    with pytest.raises(DataError, match="another run, with another weights"):
        DetectionsFile(path, {**RUN, "weights": "w2"})


@pytest.mark.parametrize(
    "text", ["x\n", "[]\n", '{"run": {}}\n{"image": "a"}\n', '{"run": {}}\n{"image": "a", ']
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "found.jsonl"
    path.write_text(text)
    if text.endswith("\n"):
        with pytest.raises(
            DataError, match=rf"found.jsonl:{text.count(chr(10))}: this is no file of detections"
        ):
            DetectionsFile(path, {})
    else:
        assert DetectionsFile(path, {}).found == {}


def test_coco_results(tmp_path):
    dets = np.array([[15, 10, 20, 19.5, 20, 0.1]], np.float32)
    want = {"image_id": 456, "category_id": 15, "bbox": [10, 20, 10.5, 1], "score": 0.1}
    numbers = CocoNumbers(CLASSES)
    assert coco_results("000456", dets, numbers) == [want]
    assert coco_results("2008_000001", dets, numbers)[0]["image_id"] == "2008_000001"
    write_coco({"000456": DETS, "000542": EMPTY, "9": dets}, tmp_path / "coco.json", numbers)
    assert len(json.loads((tmp_path / "coco.json").read_text())) == 8
    found = read_detections(tmp_path / "coco.json", set_of("000542", "000456"))
    assert found["000542"].shape == (0, 6)
    np.testing.assert_allclose(found["000456"], DETS, rtol=1e-5, atol=1e-5)
    (tmp_path / "coco.json").write_text('[{"image_id": 1}]')
    with pytest.raises(DataError, match="no COCO result file"):
        read_detections(tmp_path / "coco.json", set_of("a"))
    with pytest.raises(DataError, match="cannot read the detections: No such file"):
        read_detections(tmp_path / "nothing.json", set_of("a"))


def test_digest(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert digest(tmp_path / "f").startswith("ba7816bf")


def test_only_nets_for_voc_are_evaluated(devkit, tmp_path):
    text = TINY_TEST.replace("num_output: 84", "num_output: 12").replace("num_output: 21", "num_output: 3")
    detector = Detector(net_of(text, caffe.TEST))
    with (
        DetectionsFile(tmp_path / "found.jsonl", RUN) as file,
        pytest.raises(DataError, match=r"the net has 3 classes, VOC2007 trainval of .* has 21, both with"),
    ):
        detect_all(detector, Devkit(devkit), file)
