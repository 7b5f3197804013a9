"""Functions that several processes compile at once: real forks, with a cache of their own, empty at first."""

import os
import subprocess
import sys

import pytest

NAMES = ["square", "absolute", "cube", "line"]  # of x, with factor 2 and 1 added where there are any
EXPECTED = {"square": [25, 4, 25], "absolute": [3, 0.5, 2], "cube": [-125, 8, 125], "line": [-5, 2, 5]}
COMMON = """
import os, signal, sys, time
import numpy as np
from caffe_compat.compiling import noticed
from caffe_compat.layers.kernels import compile_together as together
from caffe_compat.layers.kernels.calls import Callee
from caffe_compat.layers.kernels.run_steps import run_steps
from caffe_compat.layers.kernels.step import STEP
from caffe_compat.layers.kernels.step_neuron import neuron

functions = [neuron(name) for name in sys.argv[1:]]
parent, compile, here = os.getpid(), Callee.compile, []

def results():
    x, steps = np.float32([-3, 0.5, 2]), np.zeros(1, STEP)
    for function in functions:
        y = np.full(3, np.nan, np.float32)
        for name, value in dict(function=function.address, parts=1, width=3, alpha=2, beta=1).items():
            steps[name] = value
        steps["bottom"], steps["top"] = x.ctypes.data, y.ctypes.data
        run_steps(steps, 0, 1)
        yield y.tolist()

def forks():
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None

def counted(self):
    if os.getpid() == parent:
        here.append(self)
    else:
        __IN_FORKS__
    compile(self)

Callee.compile = counted
"""
TOGETHER = """
start = time.monotonic()
with noticed(lambda name: print("compiling")) as names:
    together.compile_together(functions, 3)
seconds = time.monotonic() - start
compiled = len(here)
print(list(results()), forks(), names, compiled, len(here), seconds < 30)
"""


def run(folder, program: str, *names: str, in_forks: str = "pass") -> str:
    """What the program prints, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", COMMON.replace("__IN_FORKS__", in_forks) + program, *names],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        text=True,
        capture_output=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def values(names: list[str]) -> str:
    return str([[float(x) for x in EXPECTED[name]] for name in names])


def test_each_is_compiled_once_here_or_in_a_fork(tmp_path):
    *said, last = run(tmp_path, TOGETHER, *NAMES).splitlines()
    assert said == ["compiling"] * 4  # by this process only, for those of forks too
    found, rest = last[: len(values(NAMES))], last[len(values(NAMES)) :].split()
    assert found == values(NAMES)
    assert rest[0] == "None" and rest[1:5] == ["['of_all',", "'of_all',", "'of_all',", "'of_all']"]
    assert 1 <= int(rest[5]) < 4 and rest[5] == rest[6]  # none once more for its address
    # another process finds all on the disk
    assert run(tmp_path, TOGETHER, *NAMES) == f"{values(NAMES)} None [] 0 0 True\n"


def test_forks_tell_nobody_what_they_compile(tmp_path):
    told = tmp_path / "told"
    program = """
with open(TOLD, "a", buffering=1) as told, noticed(lambda name: print(os.getpid(), file=told)):
    together.compile_together(functions, 3)
print(len(here) < len(functions), os.getpid())
"""
    fewer, process = run(tmp_path, program.replace("TOLD", repr(str(told))), *NAMES).split()
    assert fewer == "True" and told.read_text().split() == [process] * len(NAMES)


@pytest.mark.parametrize(
    "fate", ["os.kill(os.getpid(), signal.SIGKILL)", "raise MemoryError", "time.sleep(1000)"]
)
def test_what_forks_do_not_compile_is_compiled_here(tmp_path, fate):
    *_, last = run(tmp_path, "together.PATIENCE = 0.5" + TOGETHER, *NAMES, in_forks=fate).splitlines()
    assert last.startswith(f"{values(NAMES)} None [") and last.endswith(" 4 True")


def test_a_fork_of_another_thread_may_hold_the_pipe(tmp_path):
    """One that was started between the pipe's making and the closing of its end to write to."""
    held = """
pipe = os.pipe
def held_pipe():
    ends = pipe()
    os.dup(ends[1])
    return ends
os.pipe = held_pipe
"""
    *_, last = run(tmp_path, held + TOGETHER, *NAMES).splitlines()
    assert last.startswith(f"{values(NAMES)} None [") and last.endswith(" True")


def test_two_of_one_maker_compiled_in_two_processes(tmp_path):
    """numba numbers both alike; each has its own numbers nevertheless."""
    alone = "print(list(results()), len(here))"
    assert [run(tmp_path, alone, name) for name in NAMES[:2]] == [f"{values([n])} 1\n" for n in NAMES[:2]]
    loaded = "print([function.load() for function in functions], list(results()), len(here))"
    assert run(tmp_path, loaded, *NAMES[:2]) == f"[True, True] {values(NAMES[:2])} 0\n"
