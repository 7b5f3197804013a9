"""Gives damaged files to everything that reads files, each batch in a process with limits of memory and time.

    .venv/bin/python scripts/fuzz.py                                  # 1000 inputs for each target
    .venv/bin/python scripts/fuzz.py prototxt replay --inputs 20000 --seed 3 --keep found
    .venv/bin/python scripts/fuzz.py --replay found/prototxt-3-1517   # with its traceback

The corpus is made of the prototxts and recordings of tests/ and of files that the targets write themselves. A fault is
what a user would see as one: any exception but the project's own and OSError, the end of the process by a signal, more
memory or time than the limits. Each is kept under its target, seed and number; a fault that was seen before is only
counted. Ends with 1 where there were faults.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[1:1] = [str(ROOT / "tests"), str(ROOT)]  # the corpus is made by what the tests have
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

# isort: split
from fuzzing import child  # noqa: E402
from fuzzing.targets import TARGETS, preload  # noqa: E402

START = 120  # seconds for a process to write its corpus
COMPILING = 6  # times as many seconds for an input that may need kernels compiled
WAITING = 6  # times as many seconds for an input that does not compute, or on a busy machine


@dataclass
class Tally:
    """What became of a target's inputs. ended: how many were right, how many refused; faults: how often there was each
    kind; kept: a file of each."""

    ended: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        return sum(self.ended.values()) + sum(self.faults.values())


class Fuzzer:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.tallies = {name: Tally() for name in args.targets}

    def run(self, name: str) -> None:
        """Run all inputs of a target, batch by batch."""
        index, end = self.args.start, self.args.start + self.args.inputs
        while index < end:
            index = self._batch(name, index, min(self.args.batch, end - index))

    def _batch(self, name: str, start: int, count: int) -> int:
        """Run a batch in a process; returns the number of the input behind the last one that was run."""
        tally, at = self.tallies[name], start - 1
        with tempfile.TemporaryDirectory() as folder:
            arguments = name, self.args.seed, start, count, self.args.megabytes, self.args.seconds
            with Child(folder, child.run, *arguments) as process:
                while line := process.line(START if at < start else WAITING * self.args.seconds):
                    if line == "done":
                        return start + count
                    if line.isdigit():
                        at = int(line)
                    elif line.startswith("{"):
                        self._fault(name, at, json.loads(line)["kind"], folder)
                    else:
                        tally.ended[line] += 1
                kind = process.end()
            if at < start:
                raise SystemExit(f"{name}: the process ended before its first input: {kind}")
            ended_after_all = not os.path.exists(f"{folder}/input-{at}")
            if kind != TOO_LONG or (not ended_after_all and self._is_slow(name, at, folder)):
                self._fault(name, at, kind, folder)
            else:
                tally.ended["right"] += 1
        return at + 1

    def _is_slow(self, name: str, index: int, folder: str) -> bool:
        """Whether an input takes too long when it is alone, and kernels are compiled."""
        for limit in (COMPILING * self.args.seconds, self.args.seconds):
            with (
                tempfile.TemporaryDirectory() as other,
                Child(
                    other, child.replay, name, f"{folder}/input-{index}", self.args.megabytes, limit
                ) as process,
            ):
                process.line(START)
                if not process.line(WAITING * limit):
                    return True
        return False

    def _fault(self, name: str, index: int, kind: str, folder: str) -> None:
        tally = self.tallies[name]
        tally.faults[kind] += 1
        if kind not in tally.kept:
            tally.kept[kind] = os.path.join(self.args.keep, f"{name}-{self.args.seed}-{index}")
            os.makedirs(self.args.keep, exist_ok=True)
            shutil.copy(os.path.join(folder, f"input-{index}"), tally.kept[kind])
            print(f"{tally.kept[kind]}: {kind}", flush=True)


TOO_LONG = "takes too long"


class Child:
    """A process that runs a function of fuzzing/child.py in a folder, and what it says on its pipe.

    It is forked, as what it needs takes seconds to import.
    """

    def __init__(self, folder: str, function: Callable[..., None], *arguments: Any):
        self._read, write = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._read)
            os._exit(child.main(folder, function, *arguments, write))
        os.close(write)
        self._text, self._late, self._code = b"", False, None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        if self._code is None:
            os.kill(self._process, signal.SIGKILL)
            self._wait()
        os.close(self._read)

    def _wait(self) -> int:
        self._code = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        return self._code

    def line(self, seconds: float) -> str:
        """The next line; empty where the process has ended, or says nothing for so long."""
        end = time.monotonic() + seconds
        while b"\n" not in self._text:
            ready, _, _ = select.select([self._read], [], [], max(0, end - time.monotonic()))
            part = os.read(self._read, 1 << 16) if ready else b""
            if not part:
                self._late = not ready
                return ""
            self._text += part
        line, self._text = self._text.split(b"\n", 1)
        return line.decode()

    def end(self) -> str:
        """Why it says no more."""
        if self._late:
            return TOO_LONG
        code = self._wait()
        if code == -signal.SIGXCPU:
            return TOO_LONG
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [name for name, target in TARGETS.items() if not target.of_tests]
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all, {', '.join(known)}")
    parser.add_argument(
        "--inputs", type=int, default=1000, metavar="N", help="for each target; default: 1000"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--start", type=int, default=0, metavar="N", help="the first input's number; default: 0"
    )
    parser.add_argument("--batch", type=int, default=500, metavar="N", help="inputs a process; default: 500")
    parser.add_argument(
        "--seconds", type=float, default=10, metavar="S", help="of computing, for an input; default: 10"
    )
    parser.add_argument(
        "--megabytes", type=int, default=3000, metavar="N", help="for a process; default: 3000"
    )
    parser.add_argument(
        "--keep", default="found", metavar="FOLDER", help="where inputs are kept; default: found"
    )
    parser.add_argument("--replay", metavar="FILE", help="run one that was kept, and show its traceback")
    args = parser.parse_args()
    for name in args.targets:
        if name not in TARGETS:
            parser.error(f"there is no target '{name}'; known are {', '.join(known)}")
    args.targets = args.targets or known
    if args.replay:
        return replay(args)
    preload()
    fuzzer = Fuzzer(args)
    for name in args.targets:
        begin = time.monotonic()
        fuzzer.run(name)
        tally = fuzzer.tallies[name]
        print(
            f"{name}: {tally.inputs} inputs, {tally.ended['right']} right, {tally.ended['refused']} refused, "
            f"{sum(tally.faults.values())} faults of {len(tally.faults)} kinds, {time.monotonic() - begin:.0f} s",
            flush=True,
        )
        for kind, count in tally.faults.most_common():
            print(f"    {count} times {kind}: {tally.kept[kind]}")
    return int(any(tally.faults for tally in fuzzer.tallies.values()))


def replay(args: argparse.Namespace) -> int:
    path = os.path.abspath(args.replay)
    name = os.path.basename(path).partition("-")[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        Child(folder, child.replay, name, path, args.megabytes, args.seconds) as process,
    ):
        process.line(START)
        told = process.line(WAITING * args.seconds) or process.end()
    print(f"{args.replay}: {json.loads(told)['kind'] if told.startswith('{') else told}")
    return int(told not in ("right", "refused"))


if __name__ == "__main__":
    sys.exit(main())
