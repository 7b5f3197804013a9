"""A solver's nets learn from a data set, as net and configuration say together."""

import warnings
from pathlib import Path

import pytest

import caffe_compat as caffe
from caffe_compat.cli import run_prototxt
from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config, cfg_from_list
from caffe_compat.fast_rcnn.train import train_on_dataset
from caffe_compat.fast_rcnn.voc import Devkit
from fast_rcnn.drawn import write_devkit

DATA = """
layer { name: "data" type: "Python" top: "data" top: "rois" top: "labels" %s
  python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" param_str: "'num_classes': 21" } }
layer { name: "pool" type: "ROIPooling" bottom: "data" bottom: "rois" top: "pool"
  roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 } }
layer { name: "score" type: "InnerProduct" bottom: "pool" top: "score" inner_product_param { num_output: 21
  weight_filler { type: "gaussian" std: 0.0001 } } }"""
TARGETS = 'top: "targets" top: "inside" top: "outside"'
BOXES = """
layer { name: "bbox_pred" type: "InnerProduct" bottom: "pool" top: "boxes" inner_product_param { num_output: 84
  weight_filler { type: "gaussian" std: 0.0001 } } }
layer { name: "box" type: "SmoothL1Loss" bottom: "boxes" bottom: "targets" bottom: "inside" bottom: "outside"
  top: "box" }"""
LABELS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "labels" top: "loss" }'
PLAIN, WITH_BOXES = DATA % "" + LABELS, DATA % TARGETS + LABELS + BOXES
MINING = (
    DATA % TARGETS
    + BOXES.replace('top: "box"', 'top: "box" loss_weight: 0')
    + """
layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }
layer { name: "hard" type: "Python" bottom: "prob" bottom: "boxes" bottom: "rois" bottom: "labels" bottom: "targets"
  bottom: "inside" bottom: "outside" top: "r" top: "l" top: "t" top: "i" top: "o"
  python_param { module: "roi_data_layer.layer" layer: "OHEMDataLayer" param_str: "'num_classes': 21" } }
layer { name: "again" type: "ROIPooling" bottom: "data" bottom: "r" top: "again"
  roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 } }
layer { name: "s" type: "InnerProduct" bottom: "again" top: "s" inner_product_param { num_output: 21
  weight_filler { type: "gaussian" std: 0.0001 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "s" bottom: "l" top: "loss"
  propagate_down: true propagate_down: false }"""
)
SOLVER = 'net: "net.prototxt" base_lr: 1e-6 lr_policy: "fixed" snapshot_prefix: "snap" max_iter: 5'
SMALL = ["TRAIN.SCALES", "(40,)", "TRAIN.PROPOSAL_METHOD", "gt", "TRAIN.BG_THRESH_LO", "0.0"]


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Devkit:
    monkeypatch.chdir(tmp_path)
    return Devkit(write_devkit(tmp_path / "devkit"))


def solver_of(net: str, solver: str = SOLVER) -> caffe.SGDSolver:
    Path("net.prototxt").write_text(net)
    Path("solver.prototxt").write_text(solver)
    return caffe.SGDSolver("solver.prototxt")


def cfg_of(*pairs: str) -> Config:
    return cfg_from_list([*SMALL, *pairs])


def told(net: str, kit: Devkit, *pairs: str) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train_on_dataset(solver_of(net), kit, cfg_of(*pairs))
    return [str(one.message) for one in caught]


OHEM_PAIRS = "TRAIN.USE_OHEM", "True"


def test_ohem_in_the_net_or_in_the_configuration_only_is_told(kit):
    assert told(WITH_BOXES, kit) == told(MINING, kit, *OHEM_PAIRS) == []
    assert told(MINING, kit, "TRAIN.BATCH_SIZE", "60") == [
        "layer 'hard' picks hard RoIs, but TRAIN.USE_OHEM is false: it gets 60 sampled RoIs to keep 60 of, and so "
        "mines nothing; set TRAIN.USE_OHEM to true"
    ]
    assert told(WITH_BOXES, kit, *OHEM_PAIRS) == [
        "TRAIN.USE_OHEM is true, but no layer of the net picks hard RoIs: it learns from all of them; set "
        "TRAIN.USE_OHEM to false"
    ]


def test_box_targets_in_one_of_them_only_are_refused(kit):
    assert told(PLAIN, kit, "TRAIN.BBOX_REG", "False") == []
    with pytest.raises(
        DataError, match=r"TRAIN.BBOX_REG is true, and the tops of layer 'data' have no box targets"
    ):
        told(PLAIN, kit)
    with pytest.raises(
        DataError, match=r"TRAIN.BBOX_REG is false, and the tops of layer 'data' have box targets"
    ):
        told(WITH_BOXES, kit, "TRAIN.BBOX_REG", "False")


@pytest.mark.parametrize(
    ("snapshot", "infix", "names"),
    [
        ("", "", ["snap_iter_2", "snap_iter_4", "snap_iter_5"]),
        ("snapshot: 0", "own", ["snap_own_iter_2", "snap_own_iter_4", "snap_own_iter_5"]),
        ("snapshot: 3", "", ["snap_iter_3", "snap_iter_5"]),
    ],
)
def test_a_solver_without_snapshots_takes_those_of_the_configuration(kit, snapshot, infix, names):
    solver = solver_of(WITH_BOXES, f"{SOLVER} {snapshot}")
    train_on_dataset(solver, kit, cfg_of("TRAIN.SNAPSHOT_ITERS", "2", "TRAIN.SNAPSHOT_INFIX", infix))
    solver.solve()
    assert sorted(path.stem for path in Path().glob("*.caffemodel")) == names


@pytest.mark.parametrize("net", [PLAIN, WITH_BOXES, MINING])
def test_set_changes_one_key_of_the_nets_own_configuration(kit, net, monkeypatch, capsys):
    """--set without --cfg does not turn OHEM off, nor ask a net without boxes for them."""
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    solver_of(net)
    args = ["solver.prototxt", "--devkit", str(kit.folder.parent), "--iterations", "1", "--seed", "5"]
    results = []
    for pairs in ([], ["TRAIN.MAX_SIZE", "1000"], ["TRAIN.SCALES", "(40,)"]):
        assert run_prototxt.main([*args, *(["--set", *pairs] if pairs else [])]) == 0
        out, err = capsys.readouterr()
        assert "warning" not in err
        results.append(out.splitlines()[-1])
    assert results[0] == results[1] != results[2]
    assert results[0].startswith("done at iteration 1, loss = ")
