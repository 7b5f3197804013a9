"""The log, word for word as Caffe's."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest
from ohem_net import ohem_net
from recordings import GOLDEN, load

import caffe_compat as caffe
from caffe_compat.solvers.debug_info import DebugInfo
from solvers.nets import make
from solvers.test_snapshots import RECORD, SOLVER, small


def test_log(tmp_path, caplog):
    caplog.set_level(logging.INFO, "caffe_compat.solver")
    text = (
        f'max_iter: 4 display: 2 average_loss: 2 test_iter: 3 test_interval: 2 snapshot_prefix: "{tmp_path}/a" '
        "test_compute_loss: true clip_gradients: 0.5"
    )
    net = str(RECORD["net"]).replace('top: "loss"', 'top: "loss" loss_weight: 0.5')
    solver = make(tmp_path, f"{SOLVER} {text}", net, data=False)
    for each in (solver.net, *solver.test_nets):
        for name in "xt":
            each.blobs[name].data[...] = RECORD[name]
    losses, iterations = [], []
    solver.net.after_forward(
        lambda i: (
            losses.append(0.5 * solver.net.losses()["loss"]) if i == len(solver.net.layers) - 1 else None
        )
    )
    solver.on_iteration(iterations.append)
    solver.solve()
    lines = [line for line in caplog.messages if not line.startswith("Gradient clipping")]
    clipped = [line for line in caplog.messages if line.startswith("Gradient clipping")]
    assert lines[:2] == ["Solving small", "Learning Rate Policy: step"]
    assert lines[2] == "Iteration 0, Testing net (#0)"
    assert lines[3] == f"Test loss: {losses[0]:g}"
    assert lines[4] == f"    Test net output #0: loss = {2 * losses[0]:g} (* 0.5 = {losses[0]:g} loss)"
    assert lines[5:8] == [
        f"Iteration 0, loss = {losses[0]:g}",
        f"    Train net output #0: loss = {2 * losses[0]:g} (* 0.5 = {losses[0]:g} loss)",
        "Iteration 0, lr = 0.1",
    ]
    assert f"Iteration 2, loss = {(losses[1] + losses[2]) / 2:g}" in lines
    assert "Iteration 2, lr = 0.05" in lines
    assert lines[-7:] == [
        f"Snapshotting to binary proto file {tmp_path}/a_iter_4.caffemodel",
        f"Snapshotting solver state to binary proto file {tmp_path}/a_iter_4.solverstate",
        f"Iteration 4, loss = {(losses[3] + losses[4]) / 2:g}",
        "Iteration 4, Testing net (#0)",
        f"Test loss: {losses[4]:g}",
        f"    Test net output #0: loss = {2 * losses[4]:g} (* 0.5 = {losses[4]:g} loss)",
        "Optimization Done.",
    ]
    assert clipped[0].startswith("Gradient clipping: scaling down gradients (L2 norm ")
    assert " > 0.5) by scale factor 0." in clipped[0]
    assert [each.iter for each in iterations] == [0, 1, 2, 3]
    assert [each.loss for each in iterations] == pytest.approx(losses[:4])
    assert iterations[2].smoothed_loss == pytest.approx((losses[1] + losses[2]) / 2)
    assert [each.lr for each in iterations] == pytest.approx([0.1, 0.1, 0.05, 0.05])
    assert all(each.seconds > 0 for each in iterations)


def test_debug_info(tmp_path, caplog):
    """In the iterations that display: of the train net, and of the test nets always."""
    caplog.set_level(logging.INFO, "caffe_compat.solver")
    solver = small(tmp_path, "debug_info: true display: 2")
    solver.step(1)
    net = solver.net
    first = [line for line in caplog.messages if line.startswith("    [")]
    want = [("Forward", "input", f"top blob {name}", RECORD[name]) for name in "xt"]
    assert first[:2] == [f"    [{a}] Layer {b}, {c} data: {np.abs(d).mean():g}" for a, b, c, d in want]
    assert [line.partition(":")[0].strip() for line in first[2:]] == [
        "[Forward] Layer ip1, top blob ip1 data",
        "[Forward] Layer ip1, param blob 0 data",
        "[Forward] Layer ip1, param blob 1 data",
        "[Forward] Layer th, top blob ip1 data",
        "[Forward] Layer ip2, top blob ip2 data",
        "[Forward] Layer ip2, param blob 0 data",
        "[Forward] Layer ip2, param blob 1 data",
        "[Forward] Layer loss, top blob loss data",
        "[Backward] Layer loss, bottom blob ip2 diff",
        "[Backward] Layer ip2, bottom blob ip1 diff",
        "[Backward] Layer ip2, param blob 0 diff",
        "[Backward] Layer ip2, param blob 1 diff",
        "[Backward] Layer th, bottom blob ip1 diff",
        "[Backward] Layer ip1, param blob 0 diff",
        "[Backward] Layer ip1, param blob 1 diff",
        "[Backward] All net params (data, diff)",
    ]
    assert (
        f"    [Backward] Layer loss, bottom blob ip2 diff: {np.abs(net.blobs['ip2'].diff).mean():g}" in first
    )
    caplog.clear()
    solver.step(1)
    assert not [line for line in caplog.messages if line.startswith("    [")]


@pytest.mark.slow
def test_debug_info_of_the_ohem_net(caplog):
    """Against Caffe's own log of the same iteration."""
    caplog.set_level(logging.INFO, "caffe_compat.solver")
    record = load(GOLDEN / "ohem" / "ohem_train_phase.npz")
    net = ohem_net(caffe.TRAIN)
    net.layers[0].set_blobs([{key[3:]: value for key, value in record.items() if key.startswith("in:")}])
    DebugInfo(net, True)
    caffe.set_random_seed(3)
    net.forward()
    net.backward()
    pattern = re.compile(r"(\[(?:Forward|Backward)\] .*): (\S+)$")
    log = (GOLDEN / "logs" / "ohem_debug_info.log").read_text()
    want = [pattern.search(line).groups() for line in log.splitlines() if pattern.search(line)]
    got = [pattern.search(line).groups() for line in caplog.messages]
    assert len(want) > 100
    assert [name for name, _ in got] == [name for name, _ in want]
    for (name, mine), (_, theirs) in zip(got, want, strict=True):
        tolerance = 3e-2 if "param blob" in name else 2e-3  # Caffe sums up to 38 million numbers in float32
        assert float(mine) == pytest.approx(float(theirs), rel=tolerance, abs=1e-7), name
