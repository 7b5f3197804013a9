"""The commands with --engine torch."""

import json

import numpy as np
import pytest
from commands import run, run_prototxt
from processes import TINY

torch = pytest.importorskip("torch")

SOLVER = (
    'net: "tiny.prototxt" base_lr: 0.005 lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: 0.9 max_iter: 4'
)


@pytest.fixture(autouse=True)
def files(tmp_path):
    (tmp_path / "tiny.prototxt").write_text(
        TINY.replace("num_output: 6", 'num_output: 6 weight_filler { type: "xavier" }')
    )
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    rng = np.random.RandomState(2)
    inputs = {"x": rng.standard_normal((2, 3, 5, 7)), "t": np.array([5, 1])}
    np.savez(tmp_path / "inputs.npz", **{name: array.astype(np.float32) for name, array in inputs.items()})


def answer(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_net_runs(tmp_path):
    args = ("tiny.prototxt", "--seed", 1, "--inputs", "inputs.npz", "--json")
    want = answer(run_prototxt(*args, "--engine", "strict", cwd=tmp_path))
    got = answer(run_prototxt(*args, "--engine", "torch", "--dump", "blobs.npz", cwd=tmp_path))
    assert got["losses"][0]["loss"] == pytest.approx(want["losses"][0]["loss"], rel=1e-5)
    for mine, theirs in zip(got["layers"], want["layers"], strict=True):
        assert mine["top_shapes"] == theirs["top_shapes"] and mine["gradient"] == theirs["gradient"]
        assert (mine["backward_ms"] is None) == (theirs["backward_ms"] is None)
    with np.load(tmp_path / "blobs.npz") as blobs:
        assert blobs["data:conv"].shape == (2, 4, 3, 5) and np.abs(blobs["pdiff:conv:0"]).max() > 1e-3


def test_a_solver_trains(tmp_path):
    args = ("solver.prototxt", "--seed", 1, "--inputs", "inputs.npz", "--json")
    want = answer(run_prototxt(*args, "--engine", "strict", cwd=tmp_path))
    got = answer(run_prototxt(*args, "--engine", "torch", cwd=tmp_path))
    assert got["iter"] == 4 and got["loss"] == pytest.approx(want["loss"], rel=1e-4)


def test_diff_prints_what_a_precision_costs(tmp_path):
    args = ("diff", "tiny.prototxt", "--inputs", "inputs.npz", "--engine", "torch", "--all", "--json")
    same = answer(run("caffe_compat.cli.main", *args, cwd=tmp_path))
    assert same["same"]
    done = run("caffe_compat.cli.main", *args, "--precision", "bf16", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    errors = {(row["stage"], row["layer"]): row["error"] for row in json.loads(done.stdout)["rows"]}
    for layer in ("conv", "ip"):  # 8 bits of a factor
        assert 1e-4 < errors["data", layer]["max_error"] < 1e-2
    assert errors["data", "loss"]["max_error"] < 1e-5  # what is no product is float32


@pytest.mark.parametrize(
    "args, message",
    [
        (("--engine", "torch", "--precision", "tf32"), "tf32 is what NVIDIA's GPUs have"),
        (("--engine", "torch", "--device", "gpu"), "there is no device 'gpu'; choose cpu, cuda or cuda:N"),
        (("--engine", "torch", "--device", "cuda:77"), "error: device cuda:77: t"),
        (("--device", "cuda"), "for device cuda and precision float32 choose the engine torch"),
        (("--engine", "strict", "--precision", "bf16"), "the engine 'strict' computes on the cpu in float32"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, args, message):
    done = run_prototxt("tiny.prototxt", "--quiet", *args, cwd=tmp_path)
    assert done.returncode == 1 and message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_diff_wants_a_reference(tmp_path):
    done = run("caffe_compat.cli.main", "diff", "tiny.prototxt", cwd=tmp_path)
    assert done.returncode == 1 and "there is nothing to compare with; give --against REF" in done.stderr
