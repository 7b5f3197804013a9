"""Solvers, and what the module itself gives, as scripts written for pycaffe use them."""

from __future__ import annotations

import gc
import logging
import time

import numpy as np
import pytest
from processes import python

import caffe_compat as caffe
from caffe_compat.solvers.types import SOLVERS

NET = """
name: "line"
layer { name: "in" type: "Input" top: "x" top: "t"
        input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
        inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
SOLVER = (
    'net: "{}" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 max_iter: 7 display: 3 snapshot_prefix: "{}" '
)
TESTED = "test_iter: 1 test_interval: 1000 test_initialization: false "
RNG = np.random.RandomState(9)
X, T = RNG.standard_normal((4, 3)).astype(np.float32), RNG.standard_normal((4, 2)).astype(np.float32)


@pytest.fixture
def solver_file(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    path = tmp_path / "solver.prototxt"
    path.write_text((SOLVER + TESTED).format(tmp_path / "net.prototxt", tmp_path / "line"))
    return path


def feed(*nets):
    for net in nets:
        net.blobs["x"].data[...], net.blobs["t"].data[...] = X, T


def test_stepped_by_hand_with_a_test_net(solver_file):
    solver = caffe.SGDSolver(str(solver_file))
    assert len(solver.test_nets) == 1 and solver.iter == 0 and solver.net.phase == caffe.TRAIN
    feed(solver.net, solver.test_nets[0])
    w, b = (blob.data.astype(float) for blob in solver.net.params["ip"])
    vw, vb, losses = 0 * w, 0 * b, []
    for i in range(5):
        solver.step(1)
        losses.append(float(solver.net.blobs["loss"].data))
        error = (X @ w.T + b - T) / 4
        vw, vb = 0.9 * vw + 0.1 * error.T @ X, 0.9 * vb + 0.1 * error.sum(0)
        w, b = w - vw, b - vb
        assert solver.iter == i + 1
        np.testing.assert_allclose(solver.net.params["ip"][0].data, w, rtol=1e-4, atol=1e-6)
        out = solver.test_nets[0].forward()["loss"]
        np.testing.assert_allclose(out, ((X @ w.T + b - T) ** 2).sum() / 8, rtol=1e-4)
    assert losses[4] < losses[0]


def test_forward_backward_and_apply_update_by_hand(solver_file):
    one, two = caffe.SGDSolver(str(solver_file)), caffe.get_solver(str(solver_file))
    assert type(two) is caffe.SGDSolver
    for mine, theirs in zip(one.net.params["ip"], two.net.params["ip"], strict=True):
        theirs.data[...] = mine.data
    feed(one.net, two.net)
    one.step(1)
    two.net.clear_param_diffs()
    two.net.forward()
    two.net.backward()
    two.apply_update()
    np.testing.assert_array_equal(one.net.params["ip"][0].data, two.net.params["ip"][0].data)


def test_param_lr_and_solve(solver_file):
    solver = caffe.SGDSolver(str(solver_file))
    feed(solver.net)
    param = solver.param
    assert (param.max_iter, param.display, param.layer_wise_reduce) == (7, 3, True)
    assert param.base_lr == pytest.approx(0.1) and solver.lr == pytest.approx(0.1)
    param.base_lr = 0.05
    weight = solver.net.params["ip"][0]
    before = weight.data.copy()
    solver.step(1)
    assert solver.lr == pytest.approx(0.05)
    np.testing.assert_allclose(before - weight.data, weight.diff, rtol=1e-3, atol=1e-6)
    error = (X @ before.T - T) / 4
    np.testing.assert_allclose(weight.diff, 0.05 * error.T @ X, rtol=1e-4, atol=1e-6)
    solver.solve()
    assert solver.iter == 7


def test_snapshot_and_restore(solver_file, tmp_path):
    solver = caffe.SGDSolver(str(solver_file))
    feed(solver.net)
    solver.step(3)
    solver.snapshot()
    solver.step(2)
    other = caffe.SGDSolver(str(solver_file))
    feed(other.net)
    other.restore(str(tmp_path / "line_iter_3.solverstate"))
    assert other.iter == 3
    other.step(2)
    np.testing.assert_array_equal(other.net.params["ip"][0].data, solver.net.params["ip"][0].data)
    third = caffe.SGDSolver(str(solver_file))
    feed(third.net)
    third.solve(str(tmp_path / "line_iter_3.solverstate"))
    assert third.iter == 7


def test_callbacks_and_share_weights(solver_file):
    solver = caffe.SGDSolver(str(solver_file))
    feed(solver.net)
    other = caffe.Net(str(solver_file.parent / "net.prototxt"), caffe.TEST)
    solver.share_weights(other)
    calls = []
    solver.net.after_backward(lambda i: calls.append(solver.net._layer_names[i]))
    solver.add_callback(lambda: calls.append("start"), lambda: calls.append("ready"))
    solver.add_callback(lambda: calls.append("start 2"), lambda: calls.append("ready 2"))
    solver.step(2)
    assert calls == ["start", "start 2", "loss", "ip", "ready", "ready 2"] * 2
    np.testing.assert_array_equal(other.params["ip"][0].data, solver.net.params["ip"][0].data)


def test_nets_outlive_their_solver(solver_file):
    solver = caffe.SGDSolver(str(solver_file))
    feed(solver.net, *solver.test_nets)
    nets = [solver.net, *solver.test_nets]
    del solver
    gc.collect()
    assert nets[0].forward()["loss"] == nets[1].forward()["loss"] > 0


@pytest.mark.parametrize("name", SOLVERS)
def test_all_types_by_their_names(solver_file, name):
    text = solver_file.read_text() + f'type: "{name}"'
    if name in ("AdaGrad", "RMSProp"):
        text = text.replace("momentum: 0.9", "")
    solver_file.write_text(text)
    solver = getattr(caffe, f"{name}Solver")(str(solver_file))
    assert type(caffe.get_solver(str(solver_file))) is type(solver)
    feed(solver.net)
    before = solver.net.params["ip"][0].data.copy()
    solver.step(2)
    assert (solver.net.params["ip"][0].data != before).all()


# ---- the module -----------------------------------------------------------------------------------------------


def test_several_solvers_are_refused():
    assert caffe.has_nccl() is False
    for call in (caffe.NCCL.new_uid, lambda: caffe.NCCL(None, b"uid")):
        with pytest.raises(RuntimeError, match="there is no NCCL"):
            call()
    assert (caffe.solver_count(), caffe.solver_rank()) == (1, 0)
    caffe.set_solver_count(3)
    caffe.set_solver_rank(2)
    caffe.set_multiprocess(True)
    assert (caffe.solver_count(), caffe.solver_rank()) == (3, 2)
    caffe.set_solver_count(1)
    caffe.set_solver_rank(0)


def test_timer():
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    time.sleep(0.02)
    timer.stop()
    took = timer.ms
    assert took >= 19
    time.sleep(0.01)
    assert timer.ms == took
    timer.start()
    assert timer.ms < took  # stops it, as Caffe does


def test_the_gpu_is_asked_for_once_and_the_log_goes_to_stderr():
    done = python(
        """
        import caffe_compat as caffe
        for _ in range(2):
            caffe.set_device(1)
            caffe.set_mode_gpu()
        caffe.set_mode_cpu()
        caffe.log("before")
        caffe.init_log()
        caffe.init_log(0, True)
        caffe.log("hello")
        caffe.init_log(1)
        caffe.log("no more")
        """
    )
    assert done.returncode == 0
    assert done.stderr.count("does not use GPUs: it computes on the CPU") == 1
    lines = [line for line in done.stderr.splitlines() if "] " in line]
    assert len(lines) == 1 and lines[0].startswith("I") and lines[0].endswith("] hello")


def test_names_of_the_module():
    assert (caffe.TRAIN, caffe.TEST) == (0, 1)
    assert {"Data", "Convolution", "InnerProduct", "Python"} <= set(caffe.layer_type_list())
    assert isinstance(caffe.__version__, str) and logging.getLogger("caffe_compat").handlers == []
    from caffe_compat.net_passes import PycaffeNet
    from caffe_compat.pycaffe import _caffe

    assert issubclass(_caffe.Net, PycaffeNet) and _caffe.Net is caffe.Net
