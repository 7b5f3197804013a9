"""Snapshots as the original Caffe wrote them, read and written."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from recordings import GOLDEN, assert_close, load

from caffe_compat import weights
from caffe_compat.prototxt.caffe_pb2 import NetParameter, SolverState
from caffe_compat.solvers import state as states
from solvers.nets import COMMON, make

RECORD = load(GOLDEN / "snapshot" / "resume.npz")
SOLVER = (
    'base_lr: 0.1 momentum: 0.9 weight_decay: 0.01 lr_policy: "step" gamma: 0.5 stepsize: 2 random_seed: 3'
)
FORMATS = {"": "BINARYPROTO", ".h5": "HDF5"}


def small(folder, text=""):
    solver = make(folder, f"{SOLVER} {text}", str(RECORD["net"]), data=False)
    for name in "xt":
        solver.net.blobs[name].data[...] = RECORD[name]
    return solver


def assert_params(solver, step):
    for key, value in RECORD.items():
        kind, _, rest = key.partition(":")
        if kind == "param" and key.endswith(f"@{step}"):
            layer, index = rest.partition("@")[0].split(":")
            assert_close(solver.net.params[layer][int(index)].data, value, key, tolerance=1e-5)


@pytest.mark.parametrize("ending", FORMATS)
def test_goes_on_from_caffes_own(ending, tmp_path, caplog):
    for name in ("caffemodel", "solverstate"):
        shutil.copy(GOLDEN / "snapshot" / f"small_iter_3.{name}{ending}", tmp_path)
    solver = small(tmp_path)
    solver.restore(tmp_path / f"small_iter_3.solverstate{ending}")
    assert solver.iter == 3
    assert "There is no" in caplog.text
    assert "small_iter_3.extra.npz" in caplog.text
    assert_params(solver, 3)
    for step in (4, 5, 6):
        solver.step(1)
        assert_close(solver.net.blobs["loss"].data, RECORD[f"loss@{step}"], f"loss@{step}", tolerance=1e-5)
        assert_params(solver, step)


@pytest.mark.parametrize("ending", FORMATS)
def test_writes_what_caffe_writes(ending, tmp_path, monkeypatch):
    """The same seed and three steps give the same two files, in names, structure and numbers."""
    monkeypatch.chdir(tmp_path)
    solver = small(tmp_path, f'snapshot_prefix: "small" snapshot_format: {FORMATS[ending]}')
    solver.step(3)
    assert solver.snapshot() == f"small_iter_3.solverstate{ending}"
    assert sorted(os.listdir()) == sorted(
        ["net.prototxt", "solver.prototxt", "small_iter_3.extra.npz"]
        + [f"small_iter_3.{name}{ending}" for name in ("caffemodel", "solverstate")]
    )
    for name in ("caffemodel", "solverstate"):
        got = f"small_iter_3.{name}{ending}"
        want = str(GOLDEN / "snapshot" / got)
        if ending:
            assert_same_hdf5(got, want)
        else:
            assert_same_message(got, want, NetParameter if name == "caffemodel" else SolverState)


def assert_same_message(got, want, kind):
    with open(got, "rb") as mine, open(want, "rb") as theirs:
        got, want = kind.FromString(mine.read()), kind.FromString(theirs.read())
    if kind is NetParameter:
        got_blobs, want_blobs = ([blob for layer in net.layer for blob in layer.blobs] for net in (got, want))
    else:
        got_blobs, want_blobs = list(got.history), list(want.history)
        assert (got.iter, got.learned_net, got.current_step) == (3, want.learned_net, want.current_step)
    assert [blob.shape.dim for blob in got_blobs] == [blob.shape.dim for blob in want_blobs]
    for mine, theirs in zip(got_blobs, want_blobs, strict=True):
        np.testing.assert_allclose(mine.data, theirs.data, rtol=1e-4, atol=1e-6)


def assert_same_hdf5(got, want):
    h5py = pytest.importorskip("h5py")

    def entries(path):
        result = {}
        with h5py.File(path, "r") as file:

            def visit(name, entry):
                if isinstance(entry, h5py.Dataset):
                    kind = entry.id.get_type()
                    padding = kind.get_strpad() if isinstance(kind, h5py.h5t.TypeStringID) else None
                    result[name] = (entry.shape, entry.dtype.str, padding, entry[()])

            file.visititems(visit)
        return result

    mine, theirs = entries(got), entries(want)
    assert mine.keys() == theirs.keys()
    for name, (*form, value) in theirs.items():
        assert list(mine[name][:-1]) == form, name
        if isinstance(value, bytes):
            assert mine[name][-1] == value
        else:
            np.testing.assert_allclose(mine[name][-1], value, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("ending", FORMATS)
def test_snapshot_diff(ending, tmp_path):
    """The diffs that Caffe stores are what the params were moved by."""
    solver = small(
        tmp_path, f'snapshot_prefix: "{tmp_path}/a" snapshot_format: {FORMATS[ending]} snapshot_diff: true'
    )
    before = solver.net.params["ip2"][0].data.copy()
    solver.step(1)
    solver.snapshot()
    moved = before - solver.net.params["ip2"][0].data
    path = tmp_path / f"a_iter_1.caffemodel{ending}"
    if ending:
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "r") as file:
            diff = file["diff/ip2/0"][()]
            assert set(file["diff"]) == set(file["data"])
    else:
        layers = {layer.name: layer for layer in NetParameter.FromString(path.read_bytes()).layer}
        diff = np.reshape(layers["ip2"].blobs[0].diff, (3, 5))
    np.testing.assert_allclose(diff, moved, atol=1e-7)
    stored = {layer.name: layer.arrays for layer in weights.read(str(path))}
    np.testing.assert_array_equal(stored["ip2"][0], solver.net.params["ip2"][0].data)


def test_prefix(tmp_path):
    """Without one, and where it is a folder, the solver's file names the snapshots."""
    assert small(tmp_path).snapshot() == str(tmp_path / "solver_iter_0.solverstate")
    (tmp_path / "out").mkdir()
    solver = small(tmp_path, f'snapshot_prefix: "{tmp_path / "out"}"')
    assert solver.snapshot() == str(tmp_path / "out" / "solver_iter_0.solverstate")


def test_frozen_params_have_a_history_in_the_file(tmp_path):
    solver = make(tmp_path, f'{COMMON} momentum: 0.9 snapshot_prefix: "{tmp_path / "a"}"')
    solver.step(1)
    found = states.read(solver.snapshot())
    assert [array.shape for array in found.history] == [
        solver.net.param_blob(param).shape for param in solver.net.learnable
    ]
    assert not found.history[3].any()


def test_finetuning_from_the_weights_of_the_solver(tmp_path):
    model = GOLDEN / "snapshot" / "small_iter_3.caffemodel"
    shutil.copy(model, tmp_path / "first.caffemodel")
    solver = small(tmp_path, 'weights: "first.caffemodel"')
    assert_params(solver, 3)
    assert solver.iter == 0


def test_what_a_killed_process_left_goes(tmp_path):
    solver = small(tmp_path, f'snapshot_prefix: "{tmp_path / "a"}"')
    left = tmp_path / ".a_iter_0.caffemodel.x7_q"
    others = [tmp_path / ".a_iter_10.caffemodel.x7_q", tmp_path / ".b_iter_0.caffemodel.abc"]
    for path in (left, *others):
        path.write_text("half a file")
    solver.snapshot()
    assert not left.exists()
    assert all(path.exists() for path in others)


def test_requests(tmp_path):
    solver = small(tmp_path, f'max_iter: 10 snapshot_prefix: "{tmp_path}/a"')

    def ask(iteration):
        if iteration.iter == 1:
            solver.request_snapshot()
        if iteration.iter == 3:
            solver.request_stop()

    solver.on_iteration(ask)
    solver.solve()
    assert (solver.iter, solver.stopped) == (4, True)
    assert sorted(path.name for path in tmp_path.glob("*.solverstate")) == [
        "a_iter_2.solverstate",
        "a_iter_4.solverstate",
    ]
    solver.request_stop(snapshot=False)
    solver.step(3)
    assert (solver.iter, solver.stopped) == (5, True)
    assert not (tmp_path / "a_iter_5.solverstate").exists()
    solver.step(2)
    assert (solver.iter, solver.stopped) == (7, False)


@pytest.mark.parametrize("write", [states.write_binary, states.write_hdf5])
def test_the_state_holds_what_plateau_remembers(tmp_path, write):
    if write is states.write_hdf5:
        pytest.importorskip("h5py")
    write(states.State(7, "model", 2, [np.ones(3, np.float32)], (0.25, 5)), f"{tmp_path}/a")
    found = states.read(f"{tmp_path}/a")
    assert (found.iter, found.current_step, found.plateau) == (7, 2, (0.25, 5))
