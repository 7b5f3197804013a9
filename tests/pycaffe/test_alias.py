"""`import caffe`: asked for with install_as_caffe or python -m caffe_compat, else never in the way of a real Caffe."""

from __future__ import annotations

import sys

import pytest
from processes import python, run_process

SCRIPT = '''\
"""A script of its time."""
import os
import sys

import caffe
import caffe.blob
import caffe.layers.base as base
import helper
from caffe import Net, errors as caffe_errors

print("argv", sys.argv)
print("main", __name__, os.path.basename(__file__), __doc__, sys.path[0] == os.path.dirname(os.path.abspath(__file__)))
print("same", caffe is sys.modules["caffe_compat"], caffe.blob is sys.modules["caffe_compat.blob"],
      base is sys.modules["caffe_compat.layers.base"], caffe.Layer is base.Layer, helper.caffe is caffe)
print("spec", caffe.__spec__.name, caffe.blob.__spec__.name, caffe_errors.__name__)


def fail():
    raise KeyError("mine")


if sys.argv[1:] == ["fail"]:
    fail()
sys.exit(int(sys.argv[1]))
'''
HELPER = "import caffe\n"
FAKE = "real = True\nfrom caffe import io\nclass Layer: pass\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "helper.py").write_text(HELPER)
    return tmp_path


@pytest.fixture
def real(tmp_path):
    """A folder with a package `caffe` that is not ours."""
    (tmp_path / "real" / "caffe").mkdir(parents=True)
    (tmp_path / "real" / "caffe" / "__init__.py").write_text(FAKE)
    (tmp_path / "real" / "caffe" / "io.py").write_text("")
    return tmp_path / "real"


EXPECTED = """\
same True True True True True
spec caffe_compat caffe_compat.blob caffe_compat.errors
"""


def test_a_script(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run_process("caffe_compat", folder / "script.py", 4, cwd=elsewhere)
    assert done.returncode == 4 and done.stderr == ""
    path = folder / "script.py"
    assert done.stdout == (
        f"argv ['{path}', '4']\nmain __main__ script.py A script of its time. True\n" + EXPECTED
    )


def test_a_module(folder):
    done = run_process("caffe_compat", "-m", "script", "3", cwd=folder)
    assert done.returncode == 3, done.stderr
    assert f"argv ['{folder / 'script.py'}', '3']" in done.stdout and EXPECTED in done.stdout


@pytest.mark.parametrize("args", [["script.py"], ["-m", "script"]])
def test_a_traceback_begins_in_the_script(folder, args):
    done = run_process("caffe_compat", *args, "fail", cwd=folder)
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and lines[-1] == "KeyError: 'mine'"
    assert 'script.py", line 23, in <module>' in lines[1]
    assert 'script.py", line 19, in fail' in done.stderr and "caffe_compat/__main__" not in done.stderr


@pytest.mark.parametrize(
    "helper, end",
    [
        ("import caffe\n\nxrange(0, 3, 0)\n", ["ValueError: range() arg 3 must not be zero"]),
        ("import no_such_module\n", ["ModuleNotFoundError: No module named 'no_such_module'"]),
    ],
)
@pytest.mark.parametrize("args", [["script.py"], ["-m", "script"]])
def test_a_traceback_has_the_frames_of_the_users_files_only(folder, args, helper, end):
    (folder / "helper.py").write_text(helper)
    done = run_process("caffe_compat", *args, cwd=folder)
    assert done.returncode == 1
    lines = done.stderr[done.stderr.index("Traceback") :].splitlines()
    files = [line.split('"')[1].rpartition("/")[2] for line in lines if line.startswith("  File ")]
    assert files == ["script.py", "helper.py"] and lines[-1:] == end


def test_a_helper_in_python_2(folder):
    (folder / "helper.py").write_text("import caffe\nprint 'hello'\n")
    done = run_process("caffe_compat", "script.py", cwd=folder)
    files = [line.split('"')[1] for line in done.stderr.splitlines() if line.startswith("  File ")]
    assert files == ["script.py", str(folder / "helper.py")]
    assert done.stderr.splitlines()[-1].startswith(f"{folder / 'helper.py'}:2: is it Python 2 code?")


def test_a_module_of_the_python_2_era(folder):
    (folder / "old.py").write_text("import numpy as np\nprint([long(np.float(i)) for i in xrange(3)])\n")
    for args in (["old.py"], ["-m", "old"]):
        done = run_process("caffe_compat", *args, cwd=folder)
        assert done.returncode == 0 and done.stdout == "[0, 1, 2]\n", done.stderr
        assert "line 2: long as int; line 2: np.float as float; line 2: xrange as range\n" in done.stderr


def test_a_package_that_is_not_installed(folder):
    (folder / "draws.py").write_text("import sys\nsys.modules['skimage'] = None\nimport skimage\n")
    done = run_process("caffe_compat", "draws.py", cwd=folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("; pip install scikit-image"), done.stderr


def test_python_2_scripts_and_wrong_names(tmp_path):
    (tmp_path / "two.py").write_text("import caffe\nprint 'hello'\n")
    done = run_process("caffe_compat", "two.py", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].endswith('two.py", line 2')
    assert done.stderr.splitlines()[-1].startswith(
        "two.py:2: is it Python 2 code? Convert it: 2to3 -w two.py"
    )
    done = run_process("caffe_compat", "three.py", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "python -m caffe_compat: there is no script 'three.py'\n"
    assert run_process("caffe_compat").returncode == 2
    done = run_process("caffe_compat", "--help")
    assert done.returncode == 0 and "example: python -m caffe_compat train.py" in done.stdout


def test_the_log_is_caffes(tmp_path):
    (tmp_path / "net.prototxt").write_text('layer { name: "in" type: "Input" top: "x" }')
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 1 lr_policy: "fixed" display: 1')
    (tmp_path / "train.py").write_text("import caffe\ncaffe.SGDSolver('solver.prototxt').step(1)\n")
    done = run_process("caffe_compat", "train.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split("] ")[1] for line in done.stderr.splitlines()] == [
        "nothing learns: the net has no params",
        "Iteration 0, loss = 0",
        "    Train net output #0: x = 0",
        "Iteration 0, lr = 1",
    ]


def test_what_is_asked_for_hides_a_real_caffe(folder, real):
    done = python(
        """
        import caffe_compat
        caffe_compat.install_as_caffe()
        caffe_compat.install_as_caffe()
        import caffe, caffe.blob
        assert caffe is caffe_compat and caffe.blob.Blob
        try:
            import caffe.nothing_of_ours
        except ModuleNotFoundError as error:
            print(error)
        """,
        path=real,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "No module named 'caffe.nothing_of_ours'\n"


def test_a_real_caffe_that_is_there_already_stays(real):
    done = python(
        """
        import caffe
        import caffe_compat
        try:
            caffe_compat.install_as_caffe()
        except caffe_compat.CaffeCompatError as error:
            print(error)
        import caffe.io
        assert caffe.real and caffe.io.__name__ == "caffe.io"
        """,
        path=real,
    )
    assert done.returncode == 0, done.stderr
    assert f"another caffe is imported already, from {real / 'caffe' / '__init__.py'}" in done.stdout


LAYER = """
import caffe
class Mine(caffe.Layer):
    def reshape(self, bottom, top):
        top[0].reshape(1)
    def forward(self, bottom, top):
        import caffe
        top[0].data[...] = hasattr(caffe, "real")
"""
RUN = """
import sys, caffe_compat
from caffe_compat.prototxt.reader import parse_net
text = 'layer { name: "mine" type: "Python" top: "y" python_param { module: "mine" layer: "Mine" } }'
try:
    print(caffe_compat.Net.from_param(*parse_net(text)).forward()["y"])
except caffe_compat.LayerError as error:
    print(error)
print("caffe" in sys.modules, [name for name in sys.modules if name.startswith("caffe.")])
"""


def test_a_layer_does_not_hide_a_real_caffe_unasked(real):
    (real / "mine.py").write_text(LAYER)
    done = python(RUN, path=real)
    assert done.returncode == 0, done.stderr
    assert (
        f"'mine.Mine' is no caffe.Layer; caffe is the one of {real / 'caffe' / '__init__.py'} here"
        in done.stdout
    )
    assert "install_as_caffe()" in done.stdout and done.stdout.endswith("True ['caffe.io']\n")
    done = python("import caffe_compat; caffe_compat.install_as_caffe()\n" + RUN, path=real)
    assert done.stdout.startswith("[0.]\n"), done.stderr


def test_a_caffe_that_nobody_compiled_is_none(real):
    (real / "mine.py").write_text(LAYER)
    (real / "caffe" / "_caffe.cpp").write_text("")
    done = python(RUN, path=real)
    assert done.stdout == "[0.]\nFalse []\n", done.stderr
    (real / "caffe" / "_caffe.so").write_text("")
    assert "is no caffe.Layer" in python(RUN, path=real).stdout


def test_a_layer_leaves_no_caffe_behind(tmp_path):
    (tmp_path / "mine.py").write_text(LAYER)
    done = python(RUN, path=tmp_path)
    assert done.stdout == "[0.]\nFalse []\n", done.stderr
    assert sys.modules.get("caffe") is None
