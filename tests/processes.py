"""Runs the project's commands, and programs, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Any

from caffe_compat.cli.console import COMPILING

TINY = """\
name: "tiny"
layer { name: "in" type: "Input" top: "x" top: "t"
        input_param { shape { dim: 2 dim: 3 dim: 5 dim: 7 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 6 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
"""


def run_process(
    module: str, *args: object, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Start a module with these arguments; `commands.run` does the same in this process, which is quicker."""
    return _forked(["-m", module, *map(str, args)], cwd, {**os.environ, **variables})


def python(
    text: str, *args: object, cwd: Path | None = None, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program, given as text, in a process; `path` is put on PYTHONPATH."""
    env = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    return _forked(["-c", textwrap.dedent(text), *map(str, args)], cwd, env)


def with_torch(text: str, *args: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in a process that has imported torch, and computes with one thread, as torchrun's workers do."""
    return _forked(["-c", text, *map(str, args)], cwd, {**os.environ, **ONE_THREAD}, TORCH, **ONE_THREAD)


ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # OpenMP reads it when torch is imported, numba when the package is

# What most of a start goes to are the libraries, which are the same in all processes; the package is imported anew
LIBRARIES = (
    *("cv2", "google.protobuf.message_factory", "google.protobuf.text_format", "numba", "numpy"),
    *("rich.progress", "rich.table", "yaml"),
)
# torch's DistributedDataParallel imports torch._dynamo
TORCH = (*LIBRARIES, "torch.distributed.launcher.api", "torch._dynamo")
NURSERY = """\
import gc, importlib, json, os, runpy, signal, sys

for library in sys.argv[1:]:
    importlib.import_module(library)

import numba

numba.njit(lambda: 0)()  # imports what numba compiles for
gc.freeze()

for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()

signal.alarm(300)
for number, file in enumerate((os.devnull, task["stdout"], task["stderr"])):
    os.dup2(os.open(file, os.O_RDWR), number)
os.environ.clear()
os.environ.update(task["env"])
numba.config.reload_config()
os.chdir(task["cwd"])
kind, what, *arguments = task["command"]
sys.path[1:1] = filter(None, task["env"].get("PYTHONPATH", "").split(os.pathsep))
if kind == "-m":
    sys.path[0] = os.getcwd()
    sys.argv = [what, *arguments]
    runpy.run_module(what, run_name="__main__", alter_sys=True)
else:
    sys.path[0] = ""
    sys.argv = [kind, *arguments]
    exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
"""


def _forked(
    command: list[str],
    cwd: Path | None,
    env: dict[str, str],
    libraries: tuple[str, ...] = LIBRARIES,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run `python *command` in a process that is forked from one which has imported the libraries."""
    nursery = _nursery(libraries, **variables)
    assert nursery.stdin and nursery.stdout
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        task = {
            "command": command,
            "cwd": str(cwd or Path.cwd()),
            "env": env,
            "stdout": out.name,
            "stderr": err.name,
        }
        print(json.dumps(task), file=nursery.stdin, flush=True)
        return subprocess.CompletedProcess(command, int(nursery.stdout.readline()), out.read(), err.read())


@cache
def _nursery(libraries: tuple[str, ...], **variables: str) -> subprocess.Popen[str]:
    """It ends with this process: then there is nothing more to read for it."""
    return subprocess.Popen(
        [sys.executable, "-c", NURSERY, *libraries],
        env={**os.environ, **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def started(
    command: Sequence[object], cwd: Path, limit: float = 120, **options: Any
) -> Iterator[subprocess.Popen[str]]:
    """A process that is spoken to while it runs: killed at the end, and after `limit` seconds, so that no wait for it
    is without end."""
    with subprocess.Popen(list(map(str, command)), cwd=cwd, text=True, **options) as process:
        timer = Timer(limit, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


def errors(done: subprocess.CompletedProcess[str]) -> str:
    """What stands on stderr besides the line about kernels that are compiled, which a first start has."""
    return done.stderr.replace(f"{COMPILING}\n", "")
