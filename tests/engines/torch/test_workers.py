"""Two workers on one machine, as torchrun starts them: real processes, gloo."""

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from commands import run
from processes import run_process, started, with_torch
from several import run_workers

pytest.importorskip("torch")

from caffe_compat.solvers.state import read as read_state
from caffe_compat.weights import read

# another mean in every minibatch, so that a worker with the wrong one is seen; fc is shared, one bias frozen
NET = """\
layer { name: "in" type: "DummyData" top: "x" top: "t" dummy_data_param {
        shape { dim: 2 dim: 7 } shape { dim: 2 dim: 3 }
        data_filler { type: "gaussian" std: 2 } data_filler { type: "uniform" min: -1 max: 1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc" param { name: "w" lr_mult: 2 } param { lr_mult: 0 }
        inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "again" type: "InnerProduct" bottom: "fc" top: "again" param { name: "w" }
        inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "out" type: "InnerProduct" bottom: "again" top: "out"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "out" bottom: "t" top: "loss" }
"""
# params that autograd has no gradient for: of layers of Python, one without bottoms; and of "lost", which leads to a
# bottom that takes none
MORE = """\
layer { name: "weigh" type: "Python" bottom: "out" top: "weighed" python_param { module: "mine" layer: "Weigh" } }
layer { name: "own" type: "Python" top: "own" python_param { module: "mine" layer: "Own" } }
layer { name: "lost" type: "InnerProduct" bottom: "x" top: "lost"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "weighed" bottom: "own" bottom: "lost" top: "sum"
        eltwise_param { coeff_blob: true } }
layer { name: "more" type: "EuclideanLoss" bottom: "sum" bottom: "t" top: "more" loss_weight: 0.5 }
"""
MINE = """\
import caffe
import numpy as np

class Weigh(caffe.Layer):
    def setup(self, bottom, top):
        self.blobs.add_blob(3)
        self.blobs[0].data[...] = 0.5, 0.7, 0.9

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = bottom[0].data * self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(0)
        bottom[0].diff[...] = top[0].diff * self.blobs[0].data

class Own(caffe.Layer):
    def setup(self, bottom, top):
        self.blobs.add_blob(2, 3)
        self.blobs[0].data[...] = np.arange(6).reshape(2, 3) / 10

    def reshape(self, bottom, top):
        top[0].reshape(2, 3)

    def forward(self, bottom, top):
        top[0].data[...] = self.blobs[0].data

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[...] += top[0].diff
"""
DROPOUT = 'layer { name: "drop" type: "Dropout" bottom: "again" top: "again" }\n'
SOLVER = """\
net: "net.prototxt" type: "Nesterov" base_lr: 0.02 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.01 clip_gradients: 1
display: 1 average_loss: 3 snapshot_prefix: "snap" """


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    (tmp_path / "net.prototxt").write_text(NET)
    monkeypatch.chdir(tmp_path)


def write_solver(folder, text):
    (folder / "solver.prototxt").write_text(f"{SOLVER} {text}")


def start(folder, *args):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "caffe_compat", "train", "-solver", "solver.prototxt", "--engine", "torch", *args]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def params(path):
    return {f"{each.name}:{j}": array for each in read(str(path)) for j, array in each.arrays.items()}


def losses(log):
    return [float(loss) for loss in re.findall(r"Iteration \d+, loss = (\S+)", log)]


@pytest.mark.slow
def test_two_workers_are_one_at_twice_the_iter_size(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET + MORE)
    (tmp_path / "mine.py").write_text(MINE)
    write_solver(tmp_path, "max_iter: 5 iter_size: 2")
    workers = start(tmp_path, "--seed", "5", "--metrics", "loss.csv")
    out, log = workers.communicate(timeout=300)
    assert workers.returncode == 0, log
    got, history = params("snap_iter_5.caffemodel"), read_state("snap_iter_5.solverstate").history
    assert out.count("done at iteration 5") == 1 and log.count("Iteration 0, lr") == 1  # one of them talks
    assert len((tmp_path / "loss.csv").read_text().splitlines()) == 6

    write_solver(tmp_path, "max_iter: 5 iter_size: 4")
    one = run("caffe_compat.cli.main", "train", "-solver", "solver.prototxt", "--seed", 5, cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    assert losses(log) == pytest.approx(losses(one.stderr), rel=1e-5) and len(losses(log)) >= 5
    for key, want in params("snap_iter_5.caffemodel").items():
        np.testing.assert_allclose(got[key], want, rtol=0, atol=1e-5, err_msg=key)
    for mine, want in zip(history, read_state("snap_iter_5.solverstate").history, strict=True):
        np.testing.assert_allclose(mine, want, rtol=0, atol=1e-5)


# what torchrun does, but its workers are forked; the victim among them is killed soon
FORKED = """\
import os, signal, sys, threading, time
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from caffe_compat.cli.main import main

def worker(victim, *args):
    if int(os.environ["RANK"]) == victim:
        threading.Thread(target=kill_this_process, daemon=True).start()
    sys.exit(main(list(args)))

def kill_this_process():
    while not os.path.exists("snap_iter_20.solverstate"):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

one_machine = {"min_nodes": 1, "max_nodes": 1, "rdzv_backend": "c10d", "rdzv_endpoint": "localhost:0"}
count, victim = map(int, sys.argv[1:3])
config = LaunchConfig(**one_machine, nproc_per_node=count, run_id=str(os.getpid()), start_method="fork")
elastic_launch(config, worker)(victim, *sys.argv[3:])
"""
TRAIN = ("train", "-solver", "solver.prototxt", "--engine", "torch", "--seed", "5")


def forked(folder, count, victim, *more):
    return with_torch(FORKED, count, victim, *TRAIN, *more, cwd=folder)


def test_params_that_backward_writes_are_one_worker_s(tmp_path):
    net = """
layer { name: "in" type: "DummyData" top: "x" top: "person" dummy_data_param { shape { dim: 6 dim: 5 } shape { dim: 6 }
  data_filler { type: "gaussian" } } }
layer { name: "match" type: "LabeledMatching" bottom: "x" bottom: "person" top: "scores" top: "labels"
  labeled_matching_param { num_classes: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "scores" bottom: "labels" }
"""
    write_solver(tmp_path, "max_iter: 2")
    (tmp_path / "net.prototxt").write_text(net)
    workers = run_workers(2, *TRAIN, cwd=tmp_path)
    assert workers.returncode != 0
    assert "layer 'match' (LabeledMatching): its backward keeps what it has seen" in workers.stderr
    assert "Traceback" not in workers.stderr.split("its backward keeps")[0]


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_worker_ends_the_run_with_a_snapshot(tmp_path, victim):
    write_solver(tmp_path, "max_iter: 1000000 snapshot: 20")
    workers = forked(tmp_path, 2, victim)
    assert workers.returncode != 0
    (line,) = [line for line in workers.stderr.splitlines() if "a worker is gone" in line]
    path = re.search(r"--resume (\S+)", line).group(1)
    done = int(re.search(r"iter_(\d+)", path).group(1))
    assert done >= 20

    # it goes on as one worker at twice the iter_size would have
    write_solver(tmp_path, f"max_iter: {done + 3} iter_size: 2")
    command = ["train", "-solver", "solver.prototxt"]
    resumed = run("caffe_compat.cli.main", *command, "-snapshot", path, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    got = params(f"snap_iter_{done + 3}.caffemodel")
    whole = run("caffe_compat.cli.main", *command, "--seed", 5, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    for key, want in params(f"snap_iter_{done + 3}.caffemodel").items():
        np.testing.assert_allclose(got[key], want, rtol=0, atol=1e-3, err_msg=key)


def children(pid):
    """The processes that one has started and that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state not in "ZX":
                found.append(path.parent)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere they go on")
def test_workers_end_with_torchrun(tmp_path, monkeypatch):
    write_solver(tmp_path, "max_iter: 1000000 snapshot: 5")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # torchrun itself: forked workers, once done, wait for the one that has started them to read what they return
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, "-m", "caffe_compat", *TRAIN]
    with started(command, tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as torchrun:
        while not Path("snap_iter_5.solverstate").exists():
            assert torchrun.poll() is None
            time.sleep(0.05)
        workers = children(torchrun.pid)
    assert len(workers) >= 2
    end = time.monotonic() + 60
    while any(worker.exists() for worker in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert [worker for worker in workers if worker.exists()] == []


@pytest.mark.slow
def test_three_workers_resume_exactly(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        NET.replace('layer { name: "out"', f'{DROPOUT}layer {{ name: "out"')
    )
    write_solver(tmp_path, "max_iter: 4 snapshot: 2")
    for more in ([], ["-snapshot", "snap_iter_2.solverstate"]):
        workers = forked(tmp_path, 3, -1, *more)
        assert workers.returncode == 0, workers.stderr
        if not more:
            want = Path("snap_iter_4.caffemodel").read_bytes()
            os.remove("snap_iter_4.caffemodel")
    assert Path("snap_iter_4.caffemodel").read_bytes() == want


def test_other_engines_train_in_one_process(tmp_path, monkeypatch):
    write_solver(tmp_path, "max_iter: 5")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = run_process("caffe_compat", "train", "-solver", "solver.prototxt", cwd=tmp_path)
    assert done.returncode != 0
    assert done.stderr == "error: several workers train with --engine torch only\n"
