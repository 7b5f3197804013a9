"""run-prototxt with a solver, as a process: log, metrics, pictures, snapshots, signals, resume, and what goes wrong."""

import csv
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from array import array

import numpy as np
import pytest
from commands import run, run_prototxt
from processes import errors, started

from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.prototxt import zoo

NET = """
name: "small"
layer { name: "in" type: "Input" top: "x" top: "t"
        input_param { shape { dim: 4 dim: 6 } shape { dim: 4 dim: 3 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "x" top: "ip1"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip2" bottom: "t" top: "loss" }
"""
SOLVER = """
net: "net.prototxt"
type: "Adam"
base_lr: 0.01
momentum: 0.9
lr_policy: "fixed"
max_iter: 12
display: 5
average_loss: 3
iter_size: 2
snapshot_prefix: "small"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def test_log_metrics_and_snapshot(folder):
    done = run_prototxt("solver.prototxt", "--metrics", "m.csv", "--seed", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    prefix = r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.py:\d+\] "
    lines = errors(done).splitlines()
    log = [re.sub(prefix, "", line) for line in lines if re.match(prefix, line)]
    assert len(log) == len(lines)
    with open(folder / "m.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["iter"]) for row in rows] == list(range(12))
    losses = [float(row["loss"]) for row in rows]
    assert float(rows[11]["smoothed_loss"]) == pytest.approx(np.mean(losses[9:]), rel=1e-5)
    assert f"Iteration 10, loss = {np.mean(losses[8:11]):.6g}" in log
    assert "Iteration 10, lr = 0.01" in log
    assert any(re.fullmatch(r"    Train net output #0: loss = \S+ \(\* 1 = \S+ loss\)", line) for line in log)
    assert "Snapshotting to binary proto file small_iter_12.caffemodel" in log
    assert {p.name for p in folder.glob("small*")} == {
        f"small_iter_12.{ending}" for ending in ("caffemodel", "solverstate", "extra.npz")
    }
    assert done.stdout.splitlines()[-1].startswith(f"done at iteration 12, loss = {losses[-1]:.6g}")


def test_json_lines_and_picture(folder):
    pytest.importorskip("matplotlib")
    args = ("--metrics", "m.jsonl", "--plot", "loss.png", "--iterations", "3", "--json")
    done = run_prototxt("solver.prototxt", *args, cwd=folder)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (folder / "m.jsonl").read_text().splitlines()]
    assert [row["iter"] for row in rows] == [0, 1, 2]
    assert json.loads(done.stdout)["loss"] == rows[-1]["loss"]
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_an_interrupt_takes_a_snapshot_from_which_training_goes_on_as_if_nothing_had_been(folder):
    whole = run_prototxt("solver.prototxt", "--iterations", "400", "--seed", "5", "--quiet", cwd=folder)
    assert whole.returncode == 0, whole.stderr
    want = (folder / "small_iter_400.caffemodel").read_bytes()
    command = [sys.executable, "-m", "caffe_compat.cli.run_prototxt", "solver.prototxt"]
    command += ["--iterations", "1000000000", "--seed", "5", "--metrics", "m.csv"]
    with started(command, folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in process.stderr:
            if "Iteration 5," in line:
                break
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate()
    assert process.returncode == 0 and "stopping after this iteration" in stderr
    stopped = int(re.search(r"stopped at iteration (\d+)", stdout)[1])
    state = f"small_iter_{stopped}.solverstate"
    assert (folder / state).exists()
    if stopped < 400:
        args = ("--iterations", "400", "--resume", state, "--metrics", "m.csv", "--quiet", "--seed", "5")
        again = run_prototxt("solver.prototxt", *args, cwd=folder)
        assert again.returncode == 0, again.stderr
        assert (folder / "small_iter_400.caffemodel").read_bytes() == want
        with open(folder / "m.csv", newline="") as file:
            assert [int(row["iter"]) for row in csv.DictReader(file)] == list(range(400))


def test_a_second_interrupt_ends_at_once(folder):
    text = SOLVER.replace("display: 5", "display: 1").replace("iter_size: 2", "iter_size: 100000000")
    (folder / "solver.prototxt").write_text(text)
    command = [sys.executable, "-m", "caffe_compat.cli.run_prototxt", "solver.prototxt"]
    with started(command, folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        for line in process.stderr:
            if "Learning Rate Policy" in line:
                break
        process.send_signal(signal.SIGINT)
        for line in process.stderr:
            if "once more stops at once" in line:
                break
        process.send_signal(signal.SIGINT)
        process.wait()
    assert process.returncode == 130
    assert not list(folder.glob("small*"))


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="pipes have a size of their own there")
def test_an_interrupt_while_a_line_of_the_log_waits_for_its_reader(folder):
    """A signal meets a write that is not done: the next one, which says that it came, may not lose it."""
    (folder / "solver.prototxt").write_text(SOLVER.replace("display: 5", "display: 1"))
    command = [sys.executable, "-m", "caffe_compat.cli.run_prototxt", "solver.prototxt"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command += ["--iterations", "1000000000"]
    with started(command, folder, stderr=subprocess.PIPE, env=buffered) as process:
        fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        waiting = array("i", [0])
        while waiting[0] < 4000:  # the next line, or the one after it, is too long
            assert process.poll() is None
            time.sleep(0.1)
            fcntl.ioctl(process.stderr, termios.FIONREAD, waiting)
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert "stopping after this iteration" in process.stderr.read()
        assert process.wait() == 0


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    make_shapes(folder, images=5)
    return folder


SHAPES = ("--cfg", zoo.path("shapes_train").with_name("shapes_ohem.yml"))


@pytest.mark.slow
@pytest.mark.parametrize("prefetch", ["False", "True"])
def test_fast_rcnn_resumes_in_the_middle_of_an_epoch(prefetch, shapes, tmp_path):
    solver = tmp_path / "solver.prototxt"
    net = zoo.path("shapes_ohem_train")
    text = zoo.path("shapes_ohem_solver").read_text().replace("shapes_ohem_train.prototxt", str(net))
    solver.write_text(text.replace("snapshot: 2000", "snapshot: 3"))
    args = (solver, *SHAPES, "--devkit", shapes, "--set", "TRAIN.USE_PREFETCH", prefetch, "--iterations", "7")
    args += ("--metrics", "m.csv", "--html", "page.html", "--quiet")
    done = run_prototxt(*args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "page.html").read_text()
    assert "What was mined" in page and "iterations 2 to 3" in page and "iterations 6 to 6" in page
    want = (tmp_path / "shapes_ohem_iter_7.caffemodel").read_bytes()
    (tmp_path / "shapes_ohem_iter_7.caffemodel").unlink()
    again = run_prototxt(*args, "--resume", "shapes_ohem_iter_3.solverstate", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "shapes_ohem_iter_7.caffemodel").read_bytes() == want


@pytest.mark.slow
def test_a_corrupt_photo(shapes, tmp_path):
    folder = tmp_path / "kit"
    subprocess.run(["cp", "-r", shapes, folder], check=True)
    photo = folder / "VOC2007/JPEGImages/000002.jpg"
    photo.write_bytes(photo.read_bytes()[:500])
    args = (zoo.path("shapes_ohem_solver"), *SHAPES, "--devkit", folder, "--iterations", "1", "--json")
    done = run_prototxt(*args, cwd=tmp_path)
    assert (
        done.returncode == 7 and done.stderr.startswith(f"{photo}: error: ") and done.stderr.count("\n") == 1
    )
    done = run_prototxt(*args, "--skip-bad-images", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sum(str(photo) in line for line in json.loads(done.stdout)["data"]) == 1


BAD = {
    "no net": (
        ("net:", "# net:"),
        [],
        8,
        "solver.prototxt: error: the solver names no net to train; add one of ",
    ),
    "unknown policy": (
        ('"fixed"', '"fixd"'),
        [],
        8,
        "solver.prototxt:6:1: error: unknown lr_policy 'fixd'; did you",
    ),
    "unknown type": (
        ('"Adam"', '"Adm"'),
        [],
        8,
        "solver.prototxt:3:1: error: unknown solver type 'Adm'; did you mean",
    ),
    "no max_iter": (("max_iter: 12", ""), [], 8, "solver.prototxt: error: there is no max_iter"),
    "no such net": (
        ("net.prototxt", "nat.prototxt"),
        [],
        8,
        "solver.prototxt:2:1: error: cannot find net 'nat.proto",
    ),
    "an option of nets": (
        ("", ""),
        ["--dump", "x.npz"],
        1,
        "solver.prototxt: error: --dump is for a net, and this",
    ),
    "no such state": (("", ""), ["--resume", "none.solverstate"], 8, "none.solverstate: error: cannot"),
}


@pytest.mark.parametrize("change, args, code, start", BAD.values(), ids=BAD)
def test_bad_input(change, args, code, start, folder):
    (folder / "solver.prototxt").write_text(SOLVER.replace(*change))
    done = run_prototxt("solver.prototxt", "--quiet", *args, cwd=folder)
    assert (done.returncode, done.stderr[: len(start)], done.stderr.count("\n")) == (code, start, 1)


def test_options_of_solvers_for_a_net(folder):
    done = run_prototxt("net.prototxt", "--quiet", "--metrics", "m.csv", cwd=folder)
    assert done.stderr == "net.prototxt: error: --metrics is for a solver, and this is a net\n"


def test_metrics_of_another_ending(folder):
    done = run_prototxt("solver.prototxt", "--quiet", "--metrics", "m.txt", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "m.txt: error: metrics go to a .csv or a .jsonl file\n")


def test_states_that_do_not_fit(folder):
    assert run_prototxt("solver.prototxt", "--quiet", cwd=folder).returncode == 0
    (folder / "solver.prototxt").write_text(SOLVER.replace('"Adam"', '"SGD"'))
    done = run_prototxt("solver.prototxt", "--quiet", "--resume", "small_iter_12.solverstate", cwd=folder)
    assert done.returncode == 8 and "SGD" in done.stderr and done.stderr.count("\n") == 1
    (folder / "solver.prototxt").write_text(SOLVER)
    (folder / "small_iter_12.caffemodel").unlink()
    done = run_prototxt("solver.prototxt", "--quiet", "--resume", "small_iter_12.solverstate", cwd=folder)
    assert done.returncode == 8 and "are not beside it" in done.stderr and done.stderr.count("\n") == 1


def test_an_empty_image_set(shapes, tmp_path):
    folder = tmp_path / "kit"
    subprocess.run(["cp", "-r", shapes, folder], check=True)
    (folder / "VOC2007/ImageSets/Main/trainval.txt").write_text("")
    done = run_prototxt(zoo.path("shapes_ohem_solver"), *SHAPES, "--devkit", folder, "--quiet", cwd=tmp_path)
    assert done.returncode == 7 and "trainval.txt" in done.stderr and done.stderr.count("\n") == 1


def test_make_shapes(tmp_path):
    done = run(
        "caffe_compat.cli.main", "make-shapes", "kit", "--images", "6", "--hard", "--json", cwd=tmp_path
    )
    assert json.loads(done.stdout) == {"folder": "kit/VOC2007", "images": 6, "hard": True}
    assert len(list((tmp_path / "kit/VOC2007/JPEGImages").glob("*.jpg"))) == 6
    done = run("caffe_compat.cli.main", "make-shapes", "kit", cwd=tmp_path)
    assert done.returncode == 7 and done.stderr.startswith("kit/VOC2007: error: there is a data set already")
