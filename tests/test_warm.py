"""caffe-compat warm, and what a first start says, with kernel caches of their own."""

import json

import pytest
from processes import run_process

from caffe_compat.cli.console import COMPILING

# two kernels are soon compiled
NET = """\
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "relu" type: "ReLU" bottom: "x" top: "y" }
layer { name: "bias" type: "Bias" bottom: "y" top: "z" }
layer { name: "sum" type: "Reduction" bottom: "z" top: "sum" loss_weight: 1 }
"""
SOLVER = 'net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" max_iter: 1 snapshot_after_train: false'


@pytest.fixture
def start(tmp_path):
    """Runs a command in a folder with a net and a solver; all see one cache of kernels, empty at first."""
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)

    def start(module, *arguments):
        done = run_process(
            f"caffe_compat.cli.{module}", *arguments, cwd=tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "cache")
        )
        assert done.returncode == 0, done.stderr
        return done

    return start


@pytest.mark.slow
def test_after_warm_nothing_is_compiled(start):
    (cold,) = json.loads(start("main", "warm", "solver.prototxt", "--json").stdout)
    assert cold["net"] == "solver.prototxt" and cold["compiled"] == len(cold["kernels"])
    # what the net needs, no more: a program with a step of one number a channel, and the update
    assert {"run_steps", "_channels", "sgd"} <= set(cold["kernels"]) and cold["compiled"] < 10
    (again,) = json.loads(start("main", "warm", "solver.prototxt", "--json").stdout)
    assert (again["compiled"], again["kernels"]) == (0, [])
    assert start("run_prototxt", "net.prototxt").stderr == ""
    assert COMPILING not in start("run_prototxt", "solver.prototxt").stderr
    lines = start("main", "warm", "net.prototxt").stdout.splitlines()
    assert len(lines) == 1 and lines[0].startswith("net.prototxt: 0 kernels compiled, ")


@pytest.mark.slow
def test_a_first_start_says_why_it_takes_long(start):
    assert start("run_prototxt", "net.prototxt").stderr == f"{COMPILING}\n"
    assert start("run_prototxt", "net.prototxt").stderr == ""
    assert start("run_prototxt", "net.prototxt", "--quiet").stderr == ""
