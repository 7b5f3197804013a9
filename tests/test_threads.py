"""How many threads the kernels use, in processes of their own: numba settles it when a kernel first runs."""

import ctypes
import os
import re
import subprocess
import sys

import pytest
from processes import TINY

from caffe_compat.threads import of_openmp, usable_cores

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
try:
    HAS_OPENMP = bool(ctypes.CDLL("libgomp.so.1"))
except OSError:
    HAS_OPENMP = False
two_cores = pytest.mark.skipif(len(CORES) < 2, reason="needs two cores")

USED = """
import caffe_compat as caffe
import numba, numpy as np, os, sys
from caffe_compat.layers.kernels.neuron import relu
if len(sys.argv) > 1:
    caffe.set_num_threads(int(sys.argv[1]))
x = np.ones((9, 7), np.float32)
relu(x.reshape(-1), np.float32(0), x.reshape(-1))
print(numba.get_num_threads(), len(os.listdir("/proc/self/task")))
"""


def environment(**variables):
    settings = ("_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    kept = {key: os.environ[key] for key in os.environ if not key.endswith(settings)}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", **variables}


def threads(*arguments, cores=None, **variables):
    """(threads of kernels, threads of the process) in a process with these variables, on these cores."""
    done = subprocess.run(
        [sys.executable, "-c", USED, *map(str, arguments)],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    assert done.returncode == 0, done.stderr
    kernels, process = map(int, done.stdout.split())
    # numba's own workqueue, without OpenMP, starts one even where it is told to take one
    return kernels, max(1, process - (not HAS_OPENMP and kernels == 1))


@two_cores
def test_a_thread_for_each_core_that_the_process_may_use():
    assert threads()[0] == len(CORES)
    assert threads(cores=CORES[1:2]) == (1, 1)


@two_cores
def test_variables():
    assert threads(OMP_NUM_THREADS="1") == (1, 1)
    assert threads(NUMBA_NUM_THREADS="1") == (1, 1)
    assert threads(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="2")[0] == 2
    assert threads(OMP_NUM_THREADS="64")[0] == len(CORES)


@pytest.mark.parametrize(
    ("variable", "number"),
    [("1", "1"), (" 3 ", "3"), ("1,4", "1"), ("4", "4"), ("5", None), ("0", None), ("many", None)],
)
def test_what_openmps_variable_asks_for(variable, number):
    assert of_openmp(variable, cores=4) == number


@pytest.mark.parametrize(
    ("allowed", "quota", "cores"),
    [(4, None, 4), (4, 1.5, 2), (4, 0.1, 1), (4, 4.0, 4), (4, 3.0, 3), (2, 64.0, 2)],
)
def test_cores_that_a_quota_has_time_for(allowed, quota, cores):
    assert usable_cores(allowed, quota) == cores


LAYER = """
import os, runpy, sys
import caffe_compat as caffe
caffe.set_num_threads(2)
runpy.run_path(sys.argv[1])
import numba
print(numba.threading_layer(), os.environ.get("GOMP_SPINCOUNT"))
"""


@two_cores
def test_threads_are_openmps_and_soon_sleep_while_they_wait(tmp_path):
    if not HAS_OPENMP:
        pytest.skip("needs libgomp")

    def layer_of(**variables):
        (tmp_path / "used.py").write_text(USED.replace("len(sys.argv) > 1", "False"))
        done = subprocess.run(
            [sys.executable, "-c", LAYER, tmp_path / "used.py"],
            env=environment(OMP_DISPLAY_ENV="verbose", **variables),
            capture_output=True,
            text=True,
            timeout=300,
        )
        spins = re.findall("GOMP_SPINCOUNT = '(.*)'", done.stderr)
        return (*done.stdout.splitlines()[-1].split(), *spins)

    assert layer_of() == ("omp", "None", "3000")
    assert layer_of(GOMP_SPINCOUNT="17") == ("omp", "17", "17")
    assert layer_of(OMP_WAIT_POLICY="passive") == ("omp", "None", "0")
    assert layer_of(NUMBA_THREADING_LAYER="workqueue")[0] == "workqueue"
    assert layer_of(NUMBA_THREADING_LAYER_PRIORITY="workqueue omp tbb")[0] == "workqueue"


IN_THREADS = """
import threading
import numba, numpy as np
from caffe_compat.layers.kernels.neuron import relu
def work(number):
    x = np.random.default_rng(number).standard_normal(300_007).astype(np.float32)
    y = np.full_like(x, np.nan)
    for _ in range(100):
        relu(x, np.float32(0.5), y)
    right.append(np.array_equal(y, np.where(x > 0, x, x * np.float32(0.5))))
right = []
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(numba.threading_layer(), numba.get_num_threads(), right)
"""


@two_cores
def test_without_openmp_python_threads_wait_for_each_other():
    done = subprocess.run(
        [sys.executable, "-c", IN_THREADS],
        env=environment(NUMBA_THREADING_LAYER="workqueue"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"workqueue {len(CORES)} {[True] * 4}\n"


@two_cores
def test_what_the_program_says():
    assert threads(1)[0] == 1
    assert threads(1, OMP_NUM_THREADS="2")[0] == 1


@two_cores
def test_a_command_for_which_there_are_too_few(tmp_path):
    (tmp_path / "net.prototxt").write_text(TINY)
    done = subprocess.run(
        [sys.executable, "-m", "caffe_compat.cli.run_prototxt", "net.prototxt", "--threads", "2"],
        cwd=tmp_path,
        env=environment(OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    message = "error: cannot use 2 threads, there are 1 to 1 (OMP_NUM_THREADS=1, NUMBA_NUM_THREADS=1)\n"
    assert done.returncode and done.stderr == message
