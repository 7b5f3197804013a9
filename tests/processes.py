"""Runs the project's commands, and programs, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

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


def run_process(module: str, *args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Start a module with these arguments; `commands.run` does the same in this process, which is quicker."""
    command = [sys.executable, "-m", module, *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def python(
    text: str, *args: object, cwd: Path | None = None, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program, given as text, in a process; `path` is put on PYTHONPATH."""
    command = [sys.executable, "-c", textwrap.dedent(text), *map(str, args)]
    env = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


def errors(done: subprocess.CompletedProcess[str]) -> str:
    """What stands on stderr besides the line about kernels that are compiled, which a first start has."""
    return done.stderr.replace(f"{COMPILING}\n", "")
