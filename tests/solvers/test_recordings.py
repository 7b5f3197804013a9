"""Eight steps of each solver type, policy and option, against the original Caffe."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ohem_net import prototxt, set_weights
from recordings import GOLDEN, assert_close, load

import caffe_compat as caffe
from caffe_compat.layers.fast_rcnn.roi_data import TOPS

RECORDS = sorted((GOLDEN / "solvers").glob("*.npz"))


def solver_of(folder, net: str, solver: str) -> caffe.solvers.Solver:
    """A solver of these two texts, written into a folder."""
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(f'net: "net.prototxt"\n{solver}')
    return caffe.get_solver(folder / "solver.prototxt")


def params_at(record: dict[str, np.ndarray], step: int):
    """(layer, index, values) of the params that were recorded after a step."""
    for key, value in record.items():
        name, _, number = key.partition("@")
        if name.startswith("param:") and number == str(step):
            _, layer, index = name.split(":")
            yield layer, int(index), value


@pytest.mark.parametrize("path", RECORDS, ids=[path.stem for path in RECORDS])
def test_eight_steps(path, tmp_path):
    record = load(path)
    solver = solver_of(tmp_path, str(record["net"]), str(record["solver"]))
    for name in "xt":
        solver.net.blobs[name].data[...] = record[name]
    for layer, index, value in params_at(record, 0):
        blob = solver.net.params[layer][index]
        if "seeded" in path.stem:
            assert_close(blob.data, value, f"{layer}:{index} as filled", tolerance=1e-6)
        else:
            blob.data[...] = value
    for step in range(1, 9):
        solver.step(1)
        assert_close(solver.net.blobs["loss"].data, record[f"loss@{step}"], f"loss@{step}", tolerance=1e-5)
        for layer, index, value in params_at(record, step):
            got = solver.net.params[layer][index].data
            assert_close(got, value, f"{layer}:{index}@{step}", tolerance=1e-5)
    assert solver.iter == 8


def minibatch(seed: int, h: int = 224, w: int = 304, r: int = 48, k: int = 21) -> dict[str, np.ndarray]:
    """The minibatch of a seed, as the README of the recordings tells."""
    rng = np.random.RandomState(seed)
    data = rng.standard_normal((1, 3, h, w)) * 60
    x = np.sort(rng.uniform(0, w - 1, (r, 2)), axis=1)
    y = np.sort(rng.uniform(0, h - 1, (r, 2)), axis=1)
    rois = np.stack([np.zeros(r), x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.float32)
    half = r // 2
    rois[half:, 1:] = rois[:half, 1:] + rng.standard_normal((half, 4)) * 3
    rois[:, 1::2] = rois[:, 1::2].clip(0, w - 1)
    rois[:, 2::2] = rois[:, 2::2].clip(0, h - 1)
    labels = np.zeros(r)
    foreground = rng.permutation(r)[: r // 4]
    labels[foreground] = rng.randint(1, 6, foreground.size)
    targets, weights = np.zeros((r, 4 * k)), np.zeros((r, 4 * k))
    for i in foreground:
        start = 4 * int(labels[i])
        targets[i, start : start + 4] = rng.standard_normal(4)
        weights[i, start : start + 4] = 1
    arrays = (data, rois, labels, targets, weights, weights)
    return {name: array.astype(np.float32) for name, array in zip(TOPS, arrays, strict=True)}


@pytest.mark.slow
def test_ohem(tmp_path):
    """Six steps of the OHEM net by each engine, with the OpenBLAS kernels of the recordings, where numpy has them.

    By others (those for AVX512 of newer releases) a ReLU of conv4 goes the other way in step 1, by rounding, and the
    net is so far from trained that its last losses differ by 1e-2 for it: there only the first three steps can be
    held. OpenBLAS chooses its kernels at start, so this has a process of its own.
    """
    code = "import sys; from solvers.test_recordings import check_six_steps as check; "
    code += "print(*(check(sys.argv[1], engine) for engine in ('fast', 'strict')))"
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Haswell", "PYTHONPATH": str(GOLDEN.parent)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    if done.stdout.strip():
        pytest.skip(done.stdout)


def check_six_steps(folder, engine):
    """Returns nothing, or why only three steps could be held.

    The recording's iter_size is 2; the second minibatch of each step is recorded. Many RoIs cost exactly the same
    (nothing), and which of them are taken first decides which ones dropout hits. In the recording that was up to numpy
    1.26's argsort on a machine with AVX512; ohem_solver_order.npz has the rows it chose in each of the 12 minibatches.
    One by one they have to cost what the rows chosen here cost.
    """
    gc.collect()  # the net of another engine: two of them take a GB more
    record = load(GOLDEN / "ohem" / "ohem_solver.npz")
    order = load(GOLDEN / "ohem" / "ohem_solver_order.npz")
    path = Path(folder) / "solver.prototxt"
    (Path(folder) / "train.prototxt").write_text(prototxt())
    path.write_text(f'train_net: "train.prototxt"\n{record["solver"]}')
    caffe.set_engine(engine)
    solver = caffe.get_solver(path)
    net = solver.net
    net.layers[0].set_blobs([minibatch(int(record["first_seed"]) + i) for i in range(4)])
    set_weights(net)
    caffe.set_random_seed(9)
    mining = net.layers.index(net.layer_dict["hard_roi_mining"])
    runs = iter(range(12))

    def take_recorded_order(index):
        if index == mining:
            take_rows(net, order[f"selected:{next(runs)}"])

    net.after_forward(take_recorded_order)
    for step in range(6):
        solver.step(1)
        for name in ("loss_cls", "loss_bbox"):
            assert_close(net.blobs[name].data, record[f"{name}@{step}"], name, 5e-3)
        for name in ("rois_hard", "labels_hard"):
            np.testing.assert_array_equal(net.blobs[name].data, record[f"{name}@{step}"])
        worst = 0.0
        for layer, index, value in params_at(record, step):
            got = net.params[layer][index].data.reshape(-1)[: value.size]
            assert_close(got, value, f"{layer}:{index}@{step}", 1e-3)
            worst = max(worst, np.abs(got - value.reshape(-1)).max() / np.abs(value).max())
        if step == 2 and worst > 1e-5:
            return f"{engine}: after three steps that agree, another BLAS has moved params by {worst:.1e}"
    return ""


def take_rows(net: caffe.Net, rows: np.ndarray) -> None:
    """Let the mining layer have chosen these rows instead of others that cost exactly the same."""
    layer = net.layer_dict["hard_roi_mining"]
    assert_close(layer.losses[rows], layer.losses[layer.selected], "losses of the chosen RoIs")
    bottoms, tops = net.bottom_names["hard_roi_mining"], net.top_names["hard_roi_mining"]
    for bottom, top in zip(bottoms[2:], tops, strict=True):
        net.blobs[top].data[...] = net.blobs[bottom].data[rows]
