"""Every command starts as a process, and answers as it does where `commands.run` calls it in this one."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

import cv2
import numba
import numpy as np
import pytest
from commands import run
from fast_rcnn.drawn import write_devkit
from fast_rcnn.nets import TINY_TEST, tiny_test_net
from processes import TINY, errors, run_process
from recordings import net_of

import caffe_compat as caffe
from caffe_compat.cli.main import COMMANDS
from caffe_compat.prototxt import zoo

MAIN = "caffe_compat.cli.main"
LEGACY = Path(__file__).parent / "golden/legacy"
LOG = """\
I1231 23:59:58.000000     7 solver.cpp:228] Iteration 0, loss = 2.25
I1231 23:59:58.100000     7 sgd_solver.cpp:106] Iteration 0, lr = 0.01
"""
DATA_NET = """
layer { name: "in" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 dim: 5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
"""
IMAGE_NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 5 }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 6 } }
"""
SMALL = ("--set", "TEST.SCALES", "(90,)", "--quiet")
NOT_FINITE = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 3 dim: 2 } } }
layer { name: "log" type: "Log" bottom: "x" top: "y" }
"""
SOLVER = 'net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" max_iter: 2 snapshot_prefix: "tiny" display: 1'
PYTHON_NET = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }
layer { name: "p" type: "Python" bottom: "x" top: "y" python_param { module: "mine" layer: "Mine" } }
"""
MINE = """
import caffe
class Mine(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): top[0].data[...] = {value}
    def backward(self, top, propagate_down, bottom): pass
"""
ALTERNATING = zoo.path("shapes_train").parent / "shapes_alternating"
KIT = ("--devkit", "kit", "--image-set", "trainval")
STEPS = ("--iterations", "1,1,1,1", "--output", "alternating", "--quiet")
TINY_NET = ("tiny.prototxt", "--weights", "tiny.caffemodel")
ARGUMENTS = {
    "run": ["net.prototxt", "--seed", "3"],
    "detect": [*TINY_NET, "kit/VOC2007/JPEGImages/000007.jpg", *SMALL],
    "evaluate": [*TINY_NET, *KIT, *SMALL],
    "check-data": ["--devkit", "kit"],
    "classify": ["image.prototxt", "--weights", "image.caffemodel", "photo.png"],
    "compress": [*TINY_NET, "-o", "thin", "--fc6", "12"],
    "make-shapes": ["shapes", "--images", "5"],
    "diff": ["net.prototxt", "--against", "net.prototxt", "--seed", "1"],
    "replay": ["replay_log.npz"],
    "explain": ["net.prototxt", "conv"],
    "draw": ["net.prototxt", "-o", "net.svg"],
    "export": [*TINY_NET, "-o", "tiny.onnx"],
    "train-alternating": [ALTERNATING, "--cfg", ALTERNATING / "shapes_alternating.yml", *KIT, *STEPS],
    "propose": [
        ALTERNATING / "rpn_test.prototxt",
        "--weights",
        "rpn.caffemodel",
        *KIT,
        *SMALL,
        "--output",
        "rpn.npz",
    ],
    "train": ["-solver", "solver.prototxt", "--seed", "3"],
    "test": ["-model", "data.prototxt", "-weights", "data.caffemodel", "-iterations", "2"],
    "time": ["-model", "net.prototxt", "-iterations", "2"],
    "upgrade": [LEGACY / "v1_small.prototxt", "new.prototxt"],
    "mean": ["list.txt", "--quiet"],
    "convert-imageset": ["./", "list.txt", "db"],
    "convert-annoset": ["./", "list.txt", "annotated"],
    "extract": ["data.caffemodel", "data.prototxt", "ip", "features.npz", "2", "npz"],
    "parse-log": ["caffe.log", "."],
    "layers": ["ReLU", "LRN"],
}


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "net.prototxt").write_text(TINY)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    (tmp_path / "tiny.prototxt").write_text(TINY_TEST)
    tiny_test_net().save(tmp_path / "tiny.caffemodel")
    caffe.Net(tmp_path / "net.prototxt", caffe.TEST).save(tmp_path / "net.caffemodel")
    caffe.Net(ALTERNATING / "rpn_test.prototxt", caffe.TEST).save(tmp_path / "rpn.caffemodel")
    (tmp_path / "image.prototxt").write_text(IMAGE_NET)
    net_of(IMAGE_NET, caffe.TEST).save(tmp_path / "image.caffemodel")
    (tmp_path / "caffe.log").write_text(LOG)
    (tmp_path / "data.prototxt").write_text(DATA_NET)
    net_of(DATA_NET, caffe.TEST).save(tmp_path / "data.caffemodel")
    write_devkit(tmp_path / "kit")
    net = net_of(NOT_FINITE)
    with pytest.raises(caffe.NotFiniteError), caffe.check_finite(net, tmp_path):
        net.forward()
    cv2.imwrite(str(tmp_path / "photo.png"), np.full((4, 5, 3), 7, np.uint8))
    (tmp_path / "list.txt").write_text("photo.png 0\n")
    return tmp_path


def without_numbers(text: str) -> str:
    """Times, process ids and the widths of columns differ from run to run."""
    return re.sub(r"[\s─-]+", " ", re.sub(r"\d+(\.\d+)?(e-\d+)?", "N", text))


def test_here_is_every_command():
    assert {*ARGUMENTS, "warm"} == set(COMMANDS)  # warm has processes of its own, in test_warm.py


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_command_answers_as_it_does_in_this_process(command, folder):
    shutil.copytree(folder, folder / "here")
    shutil.copytree(folder, folder / "there", ignore=shutil.ignore_patterns("here"))
    here = run(MAIN, command, *ARGUMENTS[command], cwd=folder / "here")
    there = run_process(MAIN, command, *ARGUMENTS[command], cwd=folder / "there")
    assert here.returncode == there.returncode == 0, here.stderr + there.stderr
    assert without_numbers(here.stdout) == without_numbers(there.stdout)
    assert without_numbers(errors(here)) == without_numbers(errors(there))
    names = [sorted(path.name for path in (folder / one).rglob("*")) for one in ("here", "there")]
    assert names[0] == names[1]


def left_behind() -> tuple:
    logger = logging.getLogger("caffe_compat")
    return (
        *(
            os.getcwd(),
            sys.argv,
            list(sys.path),
            list(sys.meta_path),
            dict(os.environ),
            sys.stdout,
            sys.stderr,
        ),
        *(caffe.get_engine(), numba.get_num_threads(), cv2.getNumThreads(), warnings.formatwarning),
        *(list(logger.handlers), logger.level, logger.propagate, np.random.get_state()[1].tolist()),
        *(caffe.rng.caffe_rng(), warnings.filters[:]),
    )


def test_a_command_leaves_nothing_behind(folder):
    before = left_behind()
    done = run(MAIN, "train", "-solver", "solver.prototxt", "--engine", "strict", "--threads", 1, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert left_behind() == before


def test_modules_of_two_folders_with_one_name(tmp_path):
    for value in (3, 5):
        folder = tmp_path / str(value)
        folder.mkdir()
        (folder / "net.prototxt").write_text(PYTHON_NET)
        (folder / "mine.py").write_text(MINE.format(value=value))
        done = run(MAIN, "run", "net.prototxt", "--dump", "blobs.npz", cwd=folder)
        assert done.returncode == 0, done.stderr
        with np.load(folder / "blobs.npz") as blobs:
            assert blobs["data:y" if "data:y" in blobs else "y"] == value


@pytest.mark.parametrize(
    "body, code, err",
    [
        ("raise ValueError('so it is')", 1, "ValueError: so it is\n"),
        ("sys.exit('a text')", 1, "a text\n"),
        ("sys.exit()", 0, ""),
        ("return 3", 3, ""),
        ("os.write(2, b'from C')", 0, "from C"),
        ("subprocess.run(['sh', '-c', 'echo from a process >&2'])", 0, "from a process\n"),
        ("warnings.warn('take care')", 0, "program.py:2: UserWarning: take care\n"),
        ("logging.getLogger('other').warning('to stderr')", 0, "to stderr\n"),
        ("logging.getLogger('other').info('nowhere')", 0, ""),
    ],
)  # fmt: skip
def test_ends_and_streams_are_those_of_a_process(body, code, err, tmp_path, monkeypatch):
    text = f"import logging, os, subprocess, sys, warnings\ndef main(argv): {body}\n"
    (tmp_path / "program.py").write_text(text + "if __name__ == '__main__': sys.exit(main(sys.argv[1:]))\n")
    monkeypatch.syspath_prepend(tmp_path)
    here, there = run("program", cwd=tmp_path), run_process("program", cwd=tmp_path)
    for done in (here, there):
        outer = [line for line in done.stderr.splitlines(True) if not line.startswith((" ", "Traceback"))]
        assert (done.returncode, done.stdout) == (code, "")
        assert "".join(outer).replace(f"{tmp_path}/", "") == err
