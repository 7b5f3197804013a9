"""The process that runs inputs: it says which one it is at, so that its end tells which input was the cause.

Two lines on its pipe for each: its number as it begins; then `right`, `refused`, or the fault as JSON. Then `done`.
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from fuzzing.targets import TARGETS, Target

from caffe_compat.errors import CaffeCompatError

PACKAGE = str(Path(__file__).resolve().parent.parent.parent)


def run(name: str, seed: int, start: int, count: int, megabytes: int, seconds: float, pipe: int) -> None:
    """Run inputs start to start + count of a target. A file `input-NUMBER` has the one that runs, and each fault's."""
    target = TARGETS[name]
    corpus = _begin(target, megabytes)
    for index in range(start, start + count):
        data = mutated(target, corpus, name, seed, index)
        file = Path(f"input-{index}")
        file.write_bytes(data)
        _say(pipe, str(index))
        _limit_time(seconds)
        outcome = _outcome(target, data)
        if not outcome.startswith("{"):
            file.unlink()
        _say(pipe, outcome)
    _say(pipe, "done")


def replay(name: str, path: str, megabytes: int, seconds: float, pipe: int) -> None:
    """Run one input that was kept, and print its traceback on stderr."""
    target, data = TARGETS[name], Path(path).read_bytes()
    _begin(target, megabytes)
    _say(pipe, "0")
    _limit_time(seconds)
    outcome = _outcome(target, data)
    if outcome.startswith("{"):
        print(json.loads(outcome)["trace"], file=sys.stderr)
    _say(pipe, outcome)


def mutated(target: Target, corpus: list[bytes], name: str, seed: int, index: int) -> bytes:
    """Input `index` of a target: the same for the same seed."""
    rng = Random(f"{seed} {name} {index}")
    original = rng.choice(corpus)
    return target.mutate(rng, original, corpus) if rng.random() < 0.98 else original


def _begin(target: Target, megabytes: int) -> list[bytes]:
    """Set the target up in the working directory and return its corpus; from then on memory is limited."""
    warnings.simplefilter("ignore")
    target.prepare()
    corpus = target.corpus()
    resource.setrlimit(resource.RLIMIT_DATA, (_data_in_use() + megabytes * 2**20,) * 2)
    return corpus


def _limit_time(seconds: float) -> None:
    """End the process by SIGXCPU when it has computed for so long from now on, be it in compiled code."""
    end = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (end, resource.RLIM_INFINITY))


def _data_in_use() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0


def _outcome(target: Target, data: bytes) -> str:
    try:
        target.run(data)
    except (CaffeCompatError, OSError):
        return "refused"
    except Exception as error:
        return json.dumps({"kind": _kind(error), "trace": traceback.format_exc()})
    return "right"


def _kind(error: Exception) -> str:
    """What was raised, and the last line of the package that it went through: one fault, whatever the input."""
    frames = traceback.extract_tb(error.__traceback__)
    others = ("/scripts/", "/site-packages/")  # a virtual environment may lie in the checkout
    ours = [
        frame
        for frame in frames
        if frame.filename.startswith(PACKAGE) and not any(folder in frame.filename for folder in others)
    ]
    place = f"{os.path.relpath(ours[-1].filename, PACKAGE)}:{ours[-1].lineno}" if ours else "other code"
    return f"{type(error).__name__} in {place}"


def _say(pipe: int, line: str) -> None:
    os.write(pipe, f"{line}\n".encode())


def main(folder: str, function: Callable[..., None], *arguments: Any) -> int:
    """Run a function in a folder; returns the process's exit code. What the function prints goes nowhere."""
    os.chdir(folder)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    if function is run:
        os.dup2(nowhere, 2)
    try:
        function(*arguments)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
