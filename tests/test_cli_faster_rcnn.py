"""Faster R-CNN as a user runs it: trained, detecting and evaluated, from random weights on drawn shapes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import run, run_prototxt

import caffe_compat as caffe
from caffe_compat.fast_rcnn.config import cfg_from_file, cfg_from_list
from caffe_compat.fast_rcnn.detect import Detector
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.voc import CLASSES
from caffe_compat.prototxt import zoo

TRAIN, TEST, SOLVER = (zoo.path(f"shapes_rpn_{part}") for part in ("train", "test", "solver"))
YML = TRAIN.with_name("shapes_rpn.yml")
CFG = ("--cfg", YML)
PHOTO = "kit/VOC2007/JPEGImages/000005.jpg"
LOSSES = {"rpn_loss_cls", "rpn_loss_bbox", "loss_cls", "loss_bbox"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Has `kit`, and weights of six iterations."""
    folder = tmp_path_factory.mktemp("faster")
    make_shapes(folder / "kit", images=5)
    text = SOLVER.read_text().replace("shapes_rpn_train.prototxt", str(TRAIN))
    (folder / "solver.prototxt").write_text(text.replace("snapshot: 2000", "snapshot: 2"))
    done = train(folder, "--metrics", "loss.csv")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def cache(monkeypatch, folder):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    yield
    assert not (folder / "cache/caffe-compat/proposals").exists()  # nothing was searched


def train(folder: Path, *args: object):
    return run_prototxt(
        "solver.prototxt", *CFG, "--devkit", "kit", "--iterations", 6, "--quiet", *args, cwd=folder
    )


def command(folder: Path, *args: object):
    return run("caffe_compat.cli.main", *args, cwd=folder)


def weights(folder: Path) -> dict[str, list[np.ndarray]]:
    net = caffe.Net(TEST, caffe.TEST, weights=folder / "shapes_rpn_iter_6.caffemodel")
    return {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}


def test_snapshots_have_bbox_pred_unnormalised_and_training_goes_on_bit_for_bit(folder, tmp_path):
    model = folder / "shapes_rpn_iter_6.caffemodel"
    first, lines = model.read_bytes(), (folder / "loss.csv").read_text().splitlines()
    assert len(lines) == 7
    stored = weights(folder)
    assert train(folder, "--resume", "shapes_rpn_iter_4.solverstate").returncode == 0
    assert model.read_bytes() == first

    # without this key the reference leaves the weights as they are, and trains the same
    done = train(folder, "--set", "TRAIN.BBOX_NORMALIZE_TARGETS", "False", "--metrics", "same.csv")
    assert done.returncode == 0, done.stderr
    learned = weights(folder)
    model.write_bytes(first)
    stds = np.tile([0.1, 0.1, 0.2, 0.2], 21)
    for name, arrays in stored.items():
        scale = (stds[:, None], stds) if name == "bbox_pred" else (1, 1)
        for array, other, factor in zip(arrays, learned[name], scale, strict=True):
            np.testing.assert_allclose(array, other * factor, rtol=1e-6, atol=0, err_msg=name)
    losses = [line.split(",")[:2] for line in (folder / "same.csv").read_text().splitlines()]
    assert losses == [line.split(",")[:2] for line in lines]


def test_a_net_by_itself_runs_on_whatever_it_is_given(folder):
    done = run_prototxt(TRAIN, "--devkit", "kit", "--seed", 3, "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report["losses"][0]) == LOSSES and all(report["losses"][0].values())
    assert report["data"][0].endswith("an iteration has 1 photo(s) with its annotated boxes")
    done = run_prototxt(TRAIN, "--quiet", cwd=folder)  # a drawn sample
    assert done.returncode == 0 and all(name in done.stdout for name in LOSSES)
    test = (TEST, "--phase", "test", "--json")
    for data in (("--photo", PHOTO), ("--devkit", "kit"), ()):
        done = run_prototxt(*test, *data, cwd=folder)
        assert done.returncode == 0, done.stderr
        rois, columns = json.loads(done.stdout)["outputs"]["cls_prob"]
        assert 0 < rois <= 300 and columns == 21


def test_detect(folder):
    net = (TEST, "--weights", "shapes_rpn_iter_6.caffemodel")
    args = ("--threshold", 0, "--json", "--set", "TEST.RPN_POST_NMS_TOP_N", 23)
    done = command(folder, "detect", *net, PHOTO, *CFG, *args)
    assert (done.returncode, done.stderr) == (0, "")
    (photo,) = json.loads(done.stdout)["photos"]
    assert photo["proposals"] == 23 and set(photo["seconds"]) == {"pyramid", "net", "boxes", "nms"}
    got = [[CLASSES.index(one["class"]), *one["box"], one["score"]] for one in photo["detections"]]

    cfg = cfg_from_list(["TEST.RPN_POST_NMS_TOP_N", "23"], cfg_from_file(YML))
    detector = Detector(caffe.Net(TEST, caffe.TEST, weights=folder / net[2]), cfg, thresh=0)
    want = detector(read_photo(folder / PHOTO))
    assert len(want) > 0
    np.testing.assert_allclose(got, want, rtol=1e-5)


def test_evaluate(folder):
    net = (TEST, "--weights", "shapes_rpn_iter_6.caffemodel", "--devkit", "kit")
    done = command(folder, "evaluate", *net, *CFG, "--json", "--output", "out", "--threshold", 0)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["images"] == 1 and sum(one["detections"] for one in report["classes"]) > 0
    first = json.loads((folder / "out/detections.jsonl").read_text().splitlines()[0])
    assert first["run"]["proposals"] == "RPN"


def test_what_does_not_fit_is_one_line(folder):
    def refused(done, message):
        assert done.returncode == 7 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr

    plain = ("--cfg", YML.with_name("shapes.yml"), "--devkit", "kit", "--quiet")
    refused(
        run_prototxt("solver.prototxt", *plain, cwd=folder),
        "the net takes gt_boxes, and TRAIN.HAS_RPN is false",
    )
    wrong = (zoo.path("shapes_solver"), *CFG, "--devkit", "kit", "--quiet")
    refused(run_prototxt(*wrong, cwd=folder), "the net takes RoIs, and TRAIN.HAS_RPN is true")
    refused(run_prototxt(TRAIN, "--photo", PHOTO, "--quiet", cwd=folder), "photos have none; use --devkit")
    (folder / "p.npz").write_bytes(b"")
    refused(train(folder, "--proposals", "p.npz"), "p.npz: error: TRAIN.PROPOSAL_METHOD is gt")
    detect = ("detect", TEST, "--weights", "shapes_rpn_iter_6.caffemodel", PHOTO, "--quiet", *CFG)
    refused(command(folder, *detect, "--proposals", "p.npz"), "p.npz: error: the net proposes boxes itself")
    refused(command(folder, *detect, "--stages", 2), "one stage only; leave --stages out")
