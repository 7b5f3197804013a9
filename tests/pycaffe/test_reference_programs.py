"""Programs of the reference's shape run as they are, train, and find what `caffe-compat evaluate` finds."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from commands import run
from own_data import CLASSES, write_all
from processes import run_process
from pycaffe.reference_programs import write_programs

import caffe_compat as caffe

SOLVER = (
    'train_net: "train.prototxt" base_lr: 0.0001 lr_policy: "fixed" momentum: 0.9 random_seed: 5 display: 0'
)
CONFIG = "TEST: {NMS: 0.4}\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the programs, photos and proposals; and what training said."""
    folder = tmp_path_factory.mktemp("reference")
    write_all(folder, photos=4)
    write_programs(folder)
    (folder / "solver.prototxt").write_text(SOLVER)
    (folder / "config.yml").write_text(CONFIG)
    np.savez(folder / "boxes.npz", **{f"screw {i}": proposals(i) for i in range(4)})
    options = "--solver solver.prototxt --cfg config.yml --data screws --proposals boxes.npz --iters 5"
    done = run_process(
        "caffe_compat", "tools/train_net.py", *options.split(), "--out", "w.caffemodel", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def proposals(seed: int) -> np.ndarray:
    """40 whole boxes in a photo of own_data, and more that lie where the objects do."""
    rng = np.random.RandomState(seed)
    corners = rng.randint(0, (64, 40), (30, 2))
    found = np.hstack((corners, corners + rng.randint(9, 31, (30, 2))))
    near = [[x, y, x + 28, y + 30] for x in (6, 12, 54, 58) for y in (4, 8, 12)]
    return np.vstack((found, near)).astype(np.float32)


def test_training_by_a_roidb_of_lists(trained):
    folder, done = trained
    losses = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("loss")]
    assert len(losses) == 5 and losses[4] < 0.7 * losses[0]  # of the first of four photos
    for said, times in {
        "layer.py:10: UserWarning: roi_data_layer.layer.RoIDataLayer is that of ": 1,
        "utils.cython_bbox is not built or not installed: caffe_compat's own bbox_overlaps takes its place": 1,
        "easydict is not built or not installed: caffe_compat's own EasyDict takes its place": 1,
        "UserWarning: a float as an index or size is the int that it equals": 3,  # at three lines
        "UserWarning: a pickle in a file that is open for text goes to its bytes": 2,
    }.items():
        assert done.stderr.count(said) == times, (said, done.stderr)
    assert pickle.loads((folder / "screws/gt.pkl").read_bytes())[1]["gt_classes"].tolist() == [1, 2]


def test_detections_are_those_of_evaluate(trained):
    folder, _ = trained
    net = caffe.Net(str(folder / "test.prototxt"), caffe.TEST, weights=str(folder / "w.caffemodel"))
    rng = np.random.RandomState(4)  # five iterations leave all scores alike
    for name, spread in (("cls_score", 0.004), ("bbox_pred", 0.02)):
        net.params[name][0].data[...] = rng.standard_normal(net.params[name][0].shape) * spread
    net.save(str(folder / "apart.caffemodel"))
    arguments = "test.prototxt", "apart.caffemodel", "screws", "boxes.npz", "detections.pkl"
    done = run_process("caffe_compat", "tools/test_net.py", *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[False, False, False, False]\n"
    for part in ("nms.gpu_nms", "nms.cpu_nms"):
        assert f"{part} is not built or not installed" in done.stderr
    theirs = pickle.loads((folder / "detections.pkl").read_bytes())
    options = "--weights apart.caffemodel --devkit screws --classes bolt,gear --proposals boxes.npz --threshold 0.25"
    rest = "--max-per-image 0 --set TEST.SCALES [72] --set DEDUP_BOXES 0.0 --output ours --json"
    done = run(
        "caffe_compat.cli.main", "evaluate", "test.prototxt", *options.split(), *rest.split(), cwd=folder
    )
    assert done.returncode == 0, done.stderr
    lines = (folder / "ours/detections.jsonl").read_text().splitlines()[1:]
    counts = []
    for i, line in enumerate(map(json.loads, lines)):
        assert line["image"] == f"screw {i}"
        ours = np.array(line["detections"], np.float32)
        for j in range(1, 1 + len(CLASSES)):
            np.testing.assert_array_equal(ours[ours[:, 0] == j][:, 1:], theirs[j][i])
            counts.append(len(theirs[j][i]))
    assert len(counts) == 8 and sum(counts) > 40 and all(np.unique(d[:, 4]).size == len(d) for d in theirs[1])


CTPN = """\
layer { name: "in" type: "Input" top: "prob" input_param { shape { dim: 1 dim: 18 dim: 4 dim: 4 } } }
layer { name: "text" type: "Python" bottom: "prob" top: "rois"
        python_param { module: "layers.text_proposal_layer" layer: "ProposalLayer" } }
"""
LAYER = """\
import caffe
class ProposalLayer(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(3, 5)
    def forward(self, bottom, top): top[0].data[...] = 7
    def backward(self, top, propagate_down, bottom): pass
"""


def test_a_package_of_ones_own_that_is_called_layers(tmp_path):
    """CTPN's; a bare checkout of this project that is on the path before it has a folder of that name too."""
    (tmp_path / "lib/layers").mkdir(parents=True)
    (tmp_path / "lib/layers/__init__.py").write_text("")
    (tmp_path / "lib/layers/text_proposal_layer.py").write_text(LAYER)
    (tmp_path / "net.prototxt").write_text(CTPN)
    checkout = str(Path(caffe.__file__).parents[1])
    path = os.pathsep.join((checkout, str(tmp_path / "lib")))
    done = run_process("caffe_compat", "run", "net.prototxt", cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0 and "no losses; outputs: rois 3x5" in done.stdout, done.stderr
