"""References of the other kinds: a log with debug_info, another net; and what cannot be read."""

import json
import logging

import numpy as np
import pytest
from commands import run
from planting import ROOT, SMALL, diff, edited, first, load, record, save, small_inputs
from processes import TINY

import caffe_compat as caffe
from caffe_compat.cli import main
from caffe_compat.compare.distance import distance, in_words
from caffe_compat.compare.read_log import read_log
from caffe_compat.compare.reference import Value
from caffe_compat.prototxt import zoo
from caffe_compat.solvers.debug_info import DebugInfo

GOLDEN = ROOT / "tests" / "golden"
LOG = GOLDEN / "logs" / "ohem_debug_info.log"


def write_log(net, path, inputs):
    """Log one pass of a net as Caffe does with debug_info: true."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(f"I1121 10:00:00.123456 77 net.cpp:663] {record.getMessage()}")
    logger = logging.getLogger("caffe_compat.solver")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)  # not by the attribute: what was disabled is remembered
    DebugInfo(net, True)
    for name, array in inputs.items():
        net.blobs[name].data[...] = array
    try:
        net.forward()
        net.clear_param_diffs()
        net.backward()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def logged(tmp_path):
    """A log of small.prototxt without dropout, with its inputs and weights, and a function to log another net."""
    save(tmp_path / "inputs.npz", small_inputs())
    caffe.set_random_seed(3)
    net = caffe.Net(SMALL, caffe.TEST)
    net.save(tmp_path / "w.caffemodel")

    def log(prototxt):
        other = caffe.Net(prototxt, caffe.TEST, weights=tmp_path / "w.caffemodel")
        return write_log(other, tmp_path / "caffe.log", small_inputs())

    return log


def log_args(tmp_path):
    return ["--inputs", tmp_path / "inputs.npz", "--weights", tmp_path / "w.caffemodel", "--phase", "test"]


def test_log_agrees(logged, tmp_path):
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", logged(SMALL), *log_args(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert max(map(len, done.stdout.splitlines()[1:])) <= 100


def test_log_of_floor_pooling(logged, tmp_path):
    path = logged(edited(tmp_path / "floor.prototxt", "pool: MAX", "pool: MAX round_mode: FLOOR"))
    stage, layer, _, at, text = first(diff("--against", path, *log_args(tmp_path)))
    assert (stage, layer, at, text) == (
        "data",
        "pool1",
        "pool1",
        "it rounds the number of windows down (floor)",
    )


def test_log_of_another_alpha(logged, tmp_path):
    path = logged(edited(tmp_path / "alpha.prototxt", "alpha: 0.3", "alpha: 0.9"))
    result = diff("--against", path, *log_args(tmp_path))
    assert first(result)[1] == "norm1" and first(result)[4].startswith("it does not divide alpha by n")
    assert result["divergences"][0]["causes"][0]["figures"].startswith("computed so, the mean |x| agree")


def test_log_leaves_out_a_gradient(logged, tmp_path):
    old = "propagate_down: true propagate_down: false\n  roi"
    path = logged(edited(tmp_path / "flag.prototxt", old, old.replace("true", "false")))
    stage, layer, _, at, text = first(diff("--against", path, *log_args(tmp_path)))
    assert (stage, layer, at) == ("gradient", "roi_pool", "roi_pool")
    assert text == "propagate_down of bottom 0 ('conv2_relu2_0_split_1') is false"


def test_a_log_of_the_original():
    reference = read_log(str(LOG))
    assert reference.phase == "TRAIN" and 'name: "hard_roi_mining"' in reference.prototxt
    assert reference.values["data@conv1:conv1"].mean == 11.6741  # before relu1, in place
    assert reference.values["data@relu1:conv1"].mean == 5.84114
    assert reference.values["diff@conv5:conv5"].mean == 0.00014086
    assert reference.values["diff@relu5:conv5"].mean == 0.000276718
    assert reference.values["param:fc6:0"].mean == 0.00624442
    assert reference.values["pdiff:conv2:1"].mean == 0.00620129


@pytest.mark.slow
def test_the_ohem_net_against_the_original_log(tmp_path):
    from ohem_net import TRAIN_NET, ohem_net

    inputs = load(GOLDEN / "ohem" / "ohem_train_phase.npz")
    save(tmp_path / "in.npz", {key[3:]: value for key, value in inputs.items() if key.startswith("in:")})
    ohem_net(caffe.TRAIN).save(tmp_path / "w.caffemodel")
    args = ["--against", LOG, "--inputs", tmp_path / "in.npz", "--weights", tmp_path / "w.caffemodel"]
    args += ["--seed", 3, "--propagate-down", "restricts", "--json"]
    done = run("caffe_compat.cli.main", "diff", zoo.path(TRAIN_NET), *args)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) > 120
    assert all(row["error"]["max_error"] < 3e-5 for row in rows if row["stage"] in ("data", "gradient"))


def test_another_net(tmp_path):
    """The same params and noise; one of them rounds the number of windows down."""
    other = edited(tmp_path / "floor.prototxt", "pool: MAX", "pool: MAX round_mode: FLOOR")
    same = run("caffe_compat.cli.main", "diff", SMALL, "--against", SMALL, "--seed", 4, "--quiet")
    assert same.returncode == 0, same.stdout + same.stderr
    result = diff("--against", other, "--seed", 4)
    assert result["kind"] == "net" and result["settings"][0]["field"] == "pooling_param.round_mode"
    assert first(result)[1] == "pool1" and first(result)[4].startswith("its prototxt says so")


def test_two_files_of_weights(tmp_path):
    (tmp_path / "tiny.prototxt").write_text(TINY)
    net = caffe.Net(tmp_path / "tiny.prototxt", caffe.TRAIN)
    net.save(tmp_path / "a.caffemodel")
    net.params["conv"][0].data[...] *= -3
    net.save(tmp_path / "b.caffemodel")
    args = ["--against", tmp_path / "tiny.prototxt", "--weights", tmp_path / "a.caffemodel"]
    result = diff(*args, "--against-weights", tmp_path / "b.caffemodel", net=tmp_path / "tiny.prototxt")
    assert first(result) == ("param", "conv", "0", "conv", "it has -3 times these values")


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.npz", b"PK\x03\x04 not really", "this is no recording"),
        ("a.log", b"I1121 net.cpp:1] Creating Layer x\n", "put debug_info: true"),
        ("gone.npz", None, "cannot be read: No such file"),
    ],
)
def test_references_that_cannot_be_read(tmp_path, name, text, message):
    path = tmp_path / name
    if text is not None:
        path.write_bytes(text)
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", path)
    assert done.returncode == 7
    assert message in done.stderr and str(path) in done.stderr and done.stderr.count("\n") == 1


def test_a_log_needs_inputs():
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", LOG)
    assert done.returncode == 7 and "--inputs" in done.stderr


def test_large_arrays_are_recorded_by_head_and_sum(tmp_path):
    save(tmp_path / "inputs.npz", small_inputs())
    path = record(tmp_path, SMALL, "--seed", 3, "--inputs", tmp_path / "inputs.npz", "--max-size", 0.02)
    arrays = load(path)
    assert arrays["head:data:conv1"].shape == (2000,) and "data:conv1" not in arrays
    caffe.set_random_seed(3)
    caffe.Net(SMALL, caffe.TRAIN).save(tmp_path / "w.caffemodel")
    done = run("caffe_compat.cli.main", "diff", SMALL, "--against", path)
    assert done.returncode == 0, done.stdout
    assert "(head)" in done.stdout or "(mean)" in done.stdout


def test_the_recorder_is_python_2():
    """Nothing that Python 2.7 cannot parse: no f-strings, annotations, keyword-only arguments or nonlocal."""
    import ast

    tree = ast.parse((ROOT / "scripts" / "record_in_caffe.py").read_text())
    for node in ast.walk(tree):
        assert not isinstance(
            node, (ast.JoinedStr, ast.AnnAssign, ast.Nonlocal, ast.YieldFrom, ast.NamedExpr)
        )
        if isinstance(node, ast.FunctionDef):
            assert not node.args.kwonlyargs and node.returns is None
            assert all(arg.annotation is None for arg in node.args.args)


def test_distance():
    want = np.array([[1.0, -4.0], [0.5, 2.0]], np.float32)
    got = want.copy()
    got[1, 0] = 0.9
    found = distance(got, Value(whole=want))
    assert found.index == (1, 0) and (found.got, found.want) == (pytest.approx(0.9), 0.5)
    assert found.max_error == pytest.approx(0.1) and found.mean_error == pytest.approx(0.025)
    got[0, 1] = np.nan
    assert distance(got, Value(whole=want)).max_error == np.inf
    assert distance(want, Value(whole=want.T[:1])).want_shape == (1, 2)
    assert distance(want, Value(head=want.reshape(-1)[:3] + 1)).of == "the first 3 values"
    assert distance(want, Value(asum=7.5)).max_error == 0
    assert distance(want, Value(mean=2.0)).max_error == pytest.approx(0.0625)


def test_places_in_words():
    assert in_words((1, 2, 3, 4), "data", False) == "image 1, channel 2, row 3, column 4"
    assert in_words((1, 2, 3, 4), "data", True) == "RoI 1, channel 2, bin row 3, bin column 4"
    assert in_words((1, 2, 3, 4), "param", True) == "output 1, input 2, row 3, column 4"
    assert in_words((1, 2), "data", True) == "RoI 1, number 2"
    assert in_words((), "data", False) == "the only value"


RECORDED = [
    ("layers/relu_in_place", "restricts"),
    ("layers/shared_params", "restricts"),
    ("layers/implicit_split", "restricts"),
    ("layers/frozen_params", "restricts"),
    ("layers/batch_norm_train", "restricts"),
    ("layers/roi_pooling_basic", "restricts"),
    ("layers/propagate_down_one_branch", "restricts"),
    ("layers_bvlc/propagate_down_forces", "replaces"),
    ("layers_bvlc/lstm", "replaces"),  # it remembers what it had before
]


@pytest.mark.parametrize("name, meaning", RECORDED)
def test_recordings_of_the_original(name, meaning, tmp_path, capsys):
    path = GOLDEN / f"{name}.npz"
    (tmp_path / "net.prototxt").write_text(str(load(path)["prototxt"]))
    args = ["diff", tmp_path / "net.prototxt", "--against", path, "--propagate-down", meaning, "--quiet"]
    assert main.main(list(map(str, args))) == 0, capsys.readouterr()
    assert capsys.readouterr().out.startswith("the same: all")


def test_the_other_meaning_of_a_recorded_flag(tmp_path):
    """BVLC master forces a gradient where the flag says true; as before April 2016 there is none."""
    path = GOLDEN / "layers_bvlc" / "propagate_down_forces.npz"
    net = tmp_path / "net.prototxt"
    net.write_text(str(load(path)["prototxt"]))
    result = diff("--against", path, "--propagate-down", "restricts", net=net)
    assert first(result)[0] == "gradient"
    assert first(result)[4].startswith(
        "propagate_down has its other meaning there (it replaces, since April 2016)"
    )
